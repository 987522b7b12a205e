package webhdfs

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"strconv"
	"strings"
	"time"

	"tkit/internal/hdfs"
)

// fileStatus is the API's FileStatus.
type fileStatus struct {
	PathSuffix       string `json:"pathSuffix"`
	Type             string `json:"type"`
	Length           int64  `json:"length"`
	ModificationTime int64  `json:"modificationTime"` // ms
	Owner            string `json:"owner"`
	Group            string `json:"group"`
	Permission       string `json:"permission"` // octal
	FileID           uint64 `json:"fileId"`     // 0 if the server does not send it
	Encrypted        bool   `json:"encBit"`
	ErasureCoded     bool   `json:"ecBit"`
}

func (s fileStatus) info(name string) (hdfs.Info, error) {
	mode, err := strconv.ParseUint(s.Permission, 8, 16)
	if err != nil {
		return hdfs.Info{}, fmt.Errorf("%w: invalid permission %q", errProtocol, s.Permission)
	}
	i := hdfs.Info{
		Name:     name,
		Size:     s.Length,
		Mode:     fs.FileMode(mode) & fs.ModePerm,
		Owner:    s.Owner,
		Group:    s.Group,
		Modified: time.UnixMilli(s.ModificationTime),
		ID:       s.FileID,
	}
	switch {
	case s.Length < 0:
		return hdfs.Info{}, fmt.Errorf("%w: invalid length %d", errProtocol, s.Length)
	case s.Type == "DIRECTORY":
		i.Directory, i.Size = true, 0
	case s.Type == "SYMLINK":
		i.Refused = fmt.Errorf("%w: it is a symbolic link: name the file itself", hdfs.ErrRefused)
	case s.Type != "FILE":
		return hdfs.Info{}, fmt.Errorf("%w: unknown type %q", errProtocol, s.Type)
	case s.Encrypted:
		i.Refused = fmt.Errorf("%w: it is in an encryption zone, and caches and models would hold its plain content: copy it out of the zone as a user who holds the key", hdfs.ErrRefused)
	case s.ErasureCoded:
		i.Refused = fmt.Errorf("%w: it is erasure-coded: copy it into a folder with the policy REPLICATION", hdfs.ErrRefused)
	}
	return i, nil
}

// Stat returns the status of an absolute path. Users who may not read a file
// may still learn its length. Only Open detects that a file is open for write.
func (c *Client) Stat(ctx context.Context, path string) (hdfs.Info, error) {
	var i hdfs.Info
	err := c.call(ctx, operation{verb: "stat", name: "GETFILESTATUS", path: path}, func(a answer) error {
		var body struct{ FileStatus *fileStatus }
		if err := a.decode(&body); err != nil {
			return err
		}
		if body.FileStatus == nil {
			return fmt.Errorf("%w: no FileStatus", errProtocol)
		}
		var err error
		i, err = body.FileStatus.info(path[strings.LastIndexByte(path, '/')+1:])
		return err
	})
	return i, err
}

// blocks are the locations of a part of a file.
type blocks struct {
	UnderConstruction bool `json:"isUnderConstruction"`
	Located           []struct {
		Locations []dataNode `json:"locations"`
	} `json:"locatedBlocks"`
}

// A dataNode has several addresses.
type dataNode struct {
	IP         string `json:"ipAddr"`
	Host       string `json:"hostName"`
	Transfer   int    `json:"xferPort"`
	HTTP       int    `json:"infoPort"`
	HTTPSecure int    `json:"infoSecurePort"`
}

// addresses returns the addresses that a NameNode may redirect to.
func (b blocks) addresses() (all []string) {
	for _, block := range b.Located {
		for _, d := range block.Locations {
			for _, host := range []string{d.Host, d.IP} {
				all = append(all, net.JoinHostPort(host, strconv.Itoa(d.HTTP)), net.JoinHostPort(host, strconv.Itoa(d.HTTPSecure)))
			}
		}
	}
	return all
}

// blocks asks for the location of the byte at an offset. The NameNode answers
// only users who may read the file. by is call, or attempt for a single try.
func (c *Client) blocks(ctx context.Context, path string, offset int64, by func(context.Context, operation, func(answer) error) error) (blocks, error) {
	var body struct{ LocatedBlocks *blocks }
	op := operation{verb: "open", name: "GET_BLOCK_LOCATIONS", path: path,
		query: map[string]string{"offset": strconv.FormatInt(offset, 10), "length": "1"}}
	err := by(ctx, op, func(a answer) error {
		if err := a.decode(&body); err != nil {
			return err
		}
		if body.LocatedBlocks == nil {
			return fmt.Errorf("%w: no LocatedBlocks", errProtocol)
		}
		return nil
	})
	if err != nil {
		return blocks{}, err
	}
	return *body.LocatedBlocks, nil
}
