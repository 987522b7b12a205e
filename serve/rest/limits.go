package rest

// Limits bound what one request may hold.
type Limits struct {
	MaxBody   int64 // bytes
	MaxImages int   // images of a :classify-image, rows of a :predict
}
