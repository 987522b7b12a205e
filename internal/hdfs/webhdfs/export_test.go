package webhdfs

// Server returns the address of the server being read from.
func (r *Reader) Server() string {
	if r.stream == nil {
		return ""
	}
	return r.stream.host
}
