package webhdfs

// Server is that whose bytes are being read.
func (r *Reader) Server() string {
	if r.stream == nil {
		return ""
	}
	return r.stream.host
}
