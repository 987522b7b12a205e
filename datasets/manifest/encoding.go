package manifest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// decoded converts a list to UTF-8. UTF-16 is detected by its byte order mark,
// or by the zeros of the ASCII with which every list begins. A mark is skipped.
func decoded(f io.Reader) (io.Reader, error) {
	r := bufio.NewReader(f)
	begin, err := r.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	begin = append(begin[:len(begin):len(begin)], "????"...)[:4]
	utf16 := func(e unicode.Endianness, p unicode.BOMPolicy) (io.Reader, error) {
		return unicode.UTF16(e, p).NewDecoder().Reader(r), nil
	}
	switch mark := string(begin); {
	case mark == "\xff\xfe\x00\x00" || mark == "\x00\x00\xfe\xff":
		return nil, errors.New("its encoding is UTF-32: save it as UTF-8")
	case mark[:2] == "\xff\xfe" || mark[:2] == "\xfe\xff":
		return utf16(unicode.LittleEndian, unicode.ExpectBOM)
	case mark[0] != 0 && mark[1] == 0:
		return utf16(unicode.LittleEndian, unicode.IgnoreBOM)
	case mark[0] == 0 && mark[1] != 0:
		return utf16(unicode.BigEndian, unicode.IgnoreBOM)
	case mark[:3] == "\xef\xbb\xbf":
		_, err := r.Discard(3)
		return r, err
	}
	return r, nil
}

// checkText refuses text in another encoding, or with lost characters.
func checkText(line int, texts ...string) error {
	for _, text := range texts {
		if !utf8.ValidString(text) {
			text = broken(text)
			meant, err := charmap.Windows1252.NewDecoder().String(text)
			if err != nil {
				return err
			}
			return fmt.Errorf("line %d: %q is not encoded in UTF-8 (in Windows-1252 it is %q): save the list as UTF-8", line, text, meant)
		}
		if strings.ContainsRune(text, utf8.RuneError) {
			return fmt.Errorf("line %d: %q has lost characters (\uFFFD), probably by a wrong encoding: write the list again, as UTF-8", line, text)
		}
	}
	return nil
}

// broken returns the text around the first byte that is not UTF-8.
func broken(text string) string {
	const around = 40
	at := len(text) - len(strings.TrimLeftFunc(text, func(r rune) bool { return r != utf8.RuneError }))
	return text[max(0, at-around):min(len(text), at+around)]
}
