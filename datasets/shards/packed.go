package shards

import (
	"bytes"
	"fmt"
	"strings"
)

// HeadBytes is how many bytes of a file identify its format.
const HeadBytes = 512

// packing is a file format from which records cannot be read directly.
type packing struct {
	magic  string
	what   string
	ending string // removed from the name by its tool
	unpack string // the tool that uncompresses a file in place
	filter string // the same from standard input to standard output
	reason string // why it is not read
}

const inOrder = "it can only be read sequentially, but images are read in any order"

var packings = []packing{
	{"\x1f\x8b", "compressed with gzip", ".gz", "gunzip", "gunzip", inOrder},
	{"BZh", "compressed with bzip2", ".bz2", "bunzip2", "bunzip2", inOrder},
	{"\xfd7zXZ\x00", "compressed with xz", ".xz", "unxz", "unxz", inOrder},
	{"\x28\xb5\x2f\xfd", "compressed with zstd", ".zst", "unzstd --rm", "unzstd", inOrder},
	{"\x04\x22\x4d\x18", "compressed with lz4", ".lz4", "unlz4 --rm", "unlz4", inOrder},
	{"PK\x03\x04", "a ZIP file", ".zip", "unzip", "", "its files cannot be read in place"},
	{"PK\x05\x06", "an empty ZIP file", "", "", "", ""},
	{"7z\xbc\xaf\x27\x1c", "a 7z file", ".7z", "7z x", "", "its files cannot be read in place"},
	{"Rar!\x1a\x07", "a RAR file", ".rar", "unrar x", "", "its files cannot be read in place"},
	{"PAR1", "a Parquet file", "", "", "", "write its images as TFRecords or tar files"},
	{"\x89HDF\r\n\x1a\n", "an HDF5 file", "", "", "", "write its images as TFRecords or tar files"},
	{"\x93NUMPY", "an array of numpy", "", "", "", "write its images as PNG files, one folder per class"},
}

// zlibFilter uncompresses TensorFlow's ZLIB files; no common tool does.
const zlibFilter = "python3 -c 'import sys, zlib; sys.stdout.buffer.write(zlib.decompress(sys.stdin.buffer.read()))'"

// Packed returns an error if the first bytes of a file identify a format from
// which records cannot be read directly, with the remedy.
func Packed(name string, head []byte) error {
	for _, p := range packings {
		if bytes.HasPrefix(head, []byte(p.magic)) {
			return p.error(name)
		}
	}
	if len(head) > 2 && head[0] == 0x78 && (int(head[0])<<8|int(head[1]))%31 == 0 {
		return packing{what: "compressed with zlib", filter: zlibFilter, reason: inOrder}.error(name)
	}
	return nil
}

func (p packing) error(name string) error {
	text := "it is " + p.what
	if p.reason != "" {
		text += ": " + p.reason
	}
	switch hasEnding := p.ending != "" && strings.HasSuffix(strings.ToLower(name), p.ending); {
	case p.unpack != "" && (hasEnding || p.filter == "" || p.takesArchive(name)):
		return fmt.Errorf("%s; unpack it first: %s %s", text, p.unpack, quoted(name))
	case p.filter != "":
		return fmt.Errorf("%s; unpack it first: %s <%s >%s", text, p.filter, quoted(name), quoted("unpacked-"+name))
	}
	return fmt.Errorf("%s", text)
}

// takesArchive reports whether the tool supports the short extension of a
// compressed tar file, such as .tgz.
func (p packing) takesArchive(name string) bool {
	name = strings.ToLower(name)
	return p.unpack == "gunzip" && strings.HasSuffix(name, ".tgz") || p.unpack == "bunzip2" && strings.HasSuffix(name, ".tbz2") ||
		p.unpack == "unxz" && strings.HasSuffix(name, ".txz") || p.filter == "unzstd" && strings.HasSuffix(name, ".tzst")
}

// quoted quotes a name for a shell.
func quoted(name string) string {
	plain := strings.IndexFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-+=,@%", r))
	}) < 0
	if plain && name != "" && name[0] != '-' {
		return name
	}
	if strings.HasPrefix(name, "-") {
		name = "./" + name
	}
	return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
}

// Unpacked removes from a name the extension added by a compression tool:
// x.tfrecord.gz becomes x.tfrecord, and x.tgz becomes x.tar.
func Unpacked(name string) string {
	lower := strings.ToLower(name)
	for _, ending := range []string{".gz", ".gzip", ".zlib", ".bz2", ".xz", ".zst", ".lz4"} {
		if strings.HasSuffix(lower, ending) {
			return name[:len(name)-len(ending)]
		}
	}
	for _, ending := range []string{".tgz", ".tbz2", ".txz", ".tzst"} {
		if strings.HasSuffix(lower, ending) {
			return name[:len(name)-len(ending)] + ".tar"
		}
	}
	return name
}
