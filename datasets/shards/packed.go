package shards

import (
	"bytes"
	"fmt"
	"strings"
)

// HeadBytes is how much of a file tells what it is.
const HeadBytes = 512

// packing is a form of file that no record can be read from as it stands.
type packing struct {
	magic  string
	what   string
	ending string // that its tool takes off a name
	unpack string // the tool, which unpacks a file in its place
	filter string // the same from standard input to standard output
	reason string // why it is not read
}

const inOrder = "it can only be read in order, and images are read here and there"

var packings = []packing{
	{"\x1f\x8b", "compressed with gzip", ".gz", "gunzip", "gunzip", inOrder},
	{"BZh", "compressed with bzip2", ".bz2", "bunzip2", "bunzip2", inOrder},
	{"\xfd7zXZ\x00", "compressed with xz", ".xz", "unxz", "unxz", inOrder},
	{"\x28\xb5\x2f\xfd", "compressed with zstd", ".zst", "unzstd --rm", "unzstd", inOrder},
	{"\x04\x22\x4d\x18", "compressed with lz4", ".lz4", "unlz4 --rm", "unlz4", inOrder},
	{"PK\x03\x04", "a ZIP file", ".zip", "unzip", "", "its files are not read in place"},
	{"PK\x05\x06", "an empty ZIP file", "", "", "", ""},
	{"7z\xbc\xaf\x27\x1c", "a 7z file", ".7z", "7z x", "", "its files are not read in place"},
	{"Rar!\x1a\x07", "a RAR file", ".rar", "unrar x", "", "its files are not read in place"},
	{"PAR1", "a Parquet file", "", "", "", "write its images as TFRecords or tar files"},
	{"\x89HDF\r\n\x1a\n", "an HDF5 file", "", "", "", "write its images as TFRecords or tar files"},
	{"\x93NUMPY", "an array of numpy", "", "", "", "write its images as PNG files, one folder per class"},
}

// zlibFilter unpacks what TensorFlow writes as ZLIB; no common tool does.
const zlibFilter = "python3 -c 'import sys, zlib; sys.stdout.buffer.write(zlib.decompress(sys.stdin.buffer.read()))'"

// Packed says what a file is, by its first bytes, from which no record can be
// read as it stands, and what to do. It returns nil where they do not tell.
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

// takesArchive says whether the tool knows the short ending of a tar file that it
// unpacks, such as .tgz.
func (p packing) takesArchive(name string) bool {
	name = strings.ToLower(name)
	return p.unpack == "gunzip" && strings.HasSuffix(name, ".tgz") || p.unpack == "bunzip2" && strings.HasSuffix(name, ".tbz2") ||
		p.unpack == "unxz" && strings.HasSuffix(name, ".txz") || p.filter == "unzstd" && strings.HasSuffix(name, ".tzst")
}

// quoted is a name as a shell takes it.
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

// Unpacked is a name without the ending that a tool of compression gave it:
// x.tfrecord.gz is x.tfrecord, and x.tgz is x.tar.
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
