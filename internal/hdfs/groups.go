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

// The library knows Hadoop's ClientProtocol alone. A NameNode answers others on
// the same connection: each call names the protocol that its method is of.
const (
	groupsMethod   = "getGroupsForUser"
	groupsProtocol = "org.apache.hadoop.tools.GetUserMappingsProtocol"
)

// Groups are the groups that the NameNode has a user in, by its own mapping
// (hadoop.security.group.mapping). It answers with none both for a user that it
// does not know and where its mapping fails.
func (c *Client) Groups(ctx context.Context, user string) ([]string, error) {
	var groups []string
	err := c.call(ctx, "groups", user, func(s *session) error {
		// Messages of one string and of several, as the protocol has them.
		answer := &fieldmaskpb.FieldMask{}
		if err := nameNode(s.lib).Execute(groupsMethod, wrapperspb.String(user), answer); err != nil {
			return err
		}
		groups = answer.Paths
		return nil
	})
	return groups, err
}

// withProtocol names the protocol of a call that is not of ClientProtocol. A
// packet is its length, then RpcRequestHeaderProto, RequestHeaderProto and the
// request, each led by its own.
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

// ErrNoNameNode: nothing says which NameNode answers calls of Hadoop's own
// protocol for a cluster.
var ErrNoNameNode = errors.New("no NameNode is known")

// NativeAuthority is what stands after hdfs:// for a cluster that a URI of any
// of the protocols names: "hdfs://cluster" or "webhdfs://host:port". What
// HttpFS serves is the cluster of fs.defaultFS. The error wraps ErrNoNameNode.
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
	return "", fmt.Errorf("hdfs: %w for %s: let HADOOP_CONF_DIR have the cluster's core-site.xml, with fs.defaultFS", ErrNoNameNode, cluster)
}

// sameAddress says whether an address of a configuration is that of a URI, which
// may have left the port out.
func sameAddress(configured, given string) bool {
	if configured == given {
		return true
	}
	host, _, err := net.SplitHostPort(configured)
	return err == nil && host == given
}
