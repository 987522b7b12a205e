// Package serve implements what all front ends of a server have in common for a
// request to a model: limits on memory and time, finding the version, metrics, the
// log, and the texts of errors for clients.
//
// The front ends are the packages rest and rpc; package server runs them.
package serve
