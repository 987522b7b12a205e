// Package serve is what a server adds to package inference: it decides who may
// use a version, bounds the memory of requests, counts them, and turns errors
// into what clients are told.
//
// The front ends are packages of their own, rest and rpc; package server runs
// them.
package serve
