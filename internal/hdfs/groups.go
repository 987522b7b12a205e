package hdfs

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// The library knows only Hadoop's ClientProtocol. A NameNode serves other
// protocols on the same connection: each call names its protocol.
const (
	groupsMethod   = "getGroupsForUser"
	groupsProtocol = "org.apache.hadoop.tools.GetUserMappingsProtocol"
)

// Groups returns a user's groups by the NameNode's own mapping
// (hadoop.security.group.mapping). The list is empty both for an unknown user
// and when the mapping fails.
func (c *Client) Groups(ctx context.Context, user string) ([]string, error) {
	var groups []string
	err := c.call(ctx, "groups", user, func(s *session) error {
		// The protocol's messages with one string and with several.
		answer := &fieldmaskpb.FieldMask{}
		if err := nameNode(s.lib).Execute(groupsMethod, wrapperspb.String(user), answer); err != nil {
			return err
		}
		groups = answer.Paths
		return nil
	})
	return groups, err
}

// withProtocol sets the protocol of a call that is not in ClientProtocol. A
// packet is its length, then RpcRequestHeaderProto, RequestHeaderProto and the
// request, each preceded by its length.
func withProtocol(packet []byte) []byte {
	method := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), groupsMethod)
	if len(packet) < 4 || !bytes.Contains(packet, method) {
		return packet
	}
	body := packet[4:]
	first, n := protowire.ConsumeBytes(body)
	if n < 0 {
		return packet
	}
	second, m := protowire.ConsumeBytes(body[n:])
	if m < 0 || !bytes.HasPrefix(second, method) {
		return packet
	}
	header := protowire.AppendString(protowire.AppendTag(slices.Clone(method), 2, protowire.BytesType), groupsProtocol)
	header = protowire.AppendVarint(protowire.AppendTag(header, 3, protowire.VarintType), 1)
	out := protowire.AppendBytes(make([]byte, 4, len(packet)+len(groupsProtocol)), first)
	out = append(protowire.AppendBytes(out, header), body[n+m:]...)
	binary.BigEndian.PutUint32(out, uint32(len(out)-4))
	return out
}

// ErrNoNameNode means that no NameNode is configured that answers Hadoop's
// native protocol for a cluster.
var ErrNoNameNode = errors.New("no NameNode is known")

// NativeAuthority returns the part after hdfs:// for a cluster given by a URI
// of any protocol: "hdfs://cluster" or "webhdfs://host:port". The cluster
// behind HttpFS is that of fs.defaultFS. The error wraps ErrNoNameNode.
func (c Config) NativeAuthority(cluster string) (string, error) {
	scheme, host, _ := strings.Cut(cluster, "://")
	if scheme == "hdfs" && host != "" {
		return host, nil
	}
	site, dir, err := c.load()
	if err != nil {
		return "", err
	}
	if _, service := site["dfs.ha.namenodes."+host]; service {
		return host, nil
	}
	for property, address := range site {
		for _, kind := range []string{"dfs.namenode.http-address", "dfs.namenode.https-address"} {
			rest, ok := strings.CutPrefix(property, kind)
			if !ok || !sameAddress(address, host) {
				continue
			}
			if native := site["dfs.namenode.rpc-address"+rest]; native != "" {
				return native, nil
			}
		}
	}
	if native, err := authority("", site, dir); err == nil {
		return native, nil
	}
	return "", fmt.Errorf("hdfs: %w for %s: put the cluster's core-site.xml, with fs.defaultFS, in HADOOP_CONF_DIR", ErrNoNameNode, cluster)
}

// sameAddress reports whether a configured address equals that of a URI, which
// may omit the port.
func sameAddress(configured, given string) bool {
	if configured == given {
		return true
	}
	host, _, err := net.SplitHostPort(configured)
	return err == nil && host == given
}
