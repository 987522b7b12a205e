package tensorflow

// #include <stdlib.h>
// #include <string.h>
// #include "tensorflow/c/c_api.h"
//
// // Called by TensorFlow when the last tensor on the buffer is gone, which may
// // be later than the Go side's Close.
// static void delete_strings(void* data, size_t len, void* arg) {
//   TF_TString* strings = (TF_TString*)data;
//   for (size_t i = 0; i < len / sizeof(TF_TString); i++) TF_StringDealloc(&strings[i]);
//   free(data);
// }
//
// static TF_Tensor* new_strings(const int64_t* dims, int num_dims, size_t n) {
//   size_t len = n * sizeof(TF_TString);
//   void* data = aligned_alloc(64, (len + 64) / 64 * 64);
//   if (data == NULL) return NULL;
//   for (size_t i = 0; i < n; i++) TF_StringInit(&((TF_TString*)data)[i]);
//   return TF_NewTensor(TF_STRING, dims, num_dims, data, len, delete_strings, NULL);
// }
//
// // Takes the strings end to end in one block, to cross from Go once.
// static void set_strings(TF_Tensor* t, const char* bytes, const size_t* lengths, size_t n) {
//   TF_TString* strings = (TF_TString*)TF_TensorData(t);
//   for (size_t i = 0; i < n; i++) {
//     TF_StringCopy(&strings[i], bytes, lengths[i]);
//     bytes += lengths[i];
//   }
// }
//
// static size_t string_size(TF_Tensor* t, size_t i) {
//   return TF_StringGetSize(&((TF_TString*)TF_TensorData(t))[i]);
// }
//
// static void get_string(TF_Tensor* t, size_t i, char* to, size_t n) {
//   memcpy(to, TF_StringGetDataPointer(&((TF_TString*)TF_TensorData(t))[i]), n);
// }
import "C"

import (
	"fmt"
	"unsafe"
)

// FromStrings makes a tensor from copies of v.
func FromStrings(shape []int64, v [][]byte) (*Tensor, error) {
	n, err := elements(String, shape)
	if err != nil {
		return nil, err
	}
	if n != len(v) {
		return nil, invalid("new tensor", "string %v has %d elements, got %d", shape, n, len(v))
	}
	c := C.new_strings(dimensions(shape), C.int(len(shape)), C.size_t(n))
	if c == nil {
		return nil, &Error{ResourceExhausted, "new tensor", fmt.Sprintf("no memory for string %v", shape)}
	}
	// One string, such as an encoded image, is copied once, from the caller's
	// bytes to TensorFlow's; several strings are first joined in one buffer.
	block, lengths := []byte(nil), make([]C.size_t, n)
	for i, s := range v {
		lengths[i] = C.size_t(len(s))
		if n > 1 {
			block = append(block, s...)
		}
	}
	if n == 1 {
		block = v[0]
	}
	if n > 0 {
		C.set_strings(c, (*C.char)(unsafe.Pointer(unsafe.SliceData(block))), &lengths[0], C.size_t(n))
	}
	return adopt(c), nil
}

// Strings returns copies of the elements of a string tensor.
func (t *Tensor) Strings() ([][]byte, error) {
	if t.dataType != String {
		return nil, invalid("strings", "a %s tensor has no strings", t.dataType)
	}
	if t.closed.Load() || !t.buffer.retain() {
		return nil, fmt.Errorf("tensorflow: strings of tensor (%v): %w", t, ErrClosed)
	}
	defer t.buffer.release()
	v := make([][]byte, t.Len())
	for i := range v {
		n := C.string_size(t.buffer.c, C.size_t(i))
		v[i] = make([]byte, int(n))
		if n > 0 {
			C.get_string(t.buffer.c, C.size_t(i), (*C.char)(unsafe.Pointer(&v[i][0])), n)
		}
	}
	return v, nil
}
