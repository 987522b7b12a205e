// Package serve has what every front end of a server needs for a request to a model:
// limits on memory and time, the search for the version, measurements, the log, and
// the texts of errors for clients.
//
// The front ends are packages of their own, rest and rpc; package server runs
// them.
package serve
