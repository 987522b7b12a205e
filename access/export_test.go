package access

// TestStore opens the stores of this package's tests. It is set by a test that may import
// a store.
var TestStore OpenStore
