package hdfstest

import (
	"encoding/binary"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/iana/nametype"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

// Tickets returns the lifetime of a test's tickets, and the duration of a job
// that outlives three of them: seconds, unless TKIT_TICKET_LIFE is set (make
// soak).
func Tickets(t testing.TB) (life, job time.Duration) {
	t.Helper()
	life = clockSkew
	if s := os.Getenv("TKIT_TICKET_LIFE"); s != "" {
		var err error
		if life, err = time.ParseDuration(s); err != nil || life < clockSkew {
			t.Fatalf("TKIT_TICKET_LIFE=%s: want a duration of at least %s, such as 1m", s, clockSkew)
		}
	}
	return life, 3*life + 3*time.Second
}

// Kinit writes a credential cache with a fresh ticket of a principal. Like
// kinit's, the ticket expires and cannot be renewed; unlike kinit, it replaces
// the file atomically.
func (c *Cluster) Kinit(cache, principal string, life time.Duration) error {
	client, err := c.login(principal)
	if err != nil {
		return err
	}
	defer client.Destroy()
	client.Config.LibDefaults.TicketLifetime = life
	client.Config.LibDefaults.RenewLifetime = 0
	request, err := messages.NewASReqForTGT(Realm, client.Config, types.NewPrincipalName(nametype.KRB_NT_PRINCIPAL, principal))
	if err != nil {
		return err
	}
	reply, err := client.ASExchange(Realm, request, 0)
	if err != nil {
		return fmt.Errorf("hdfstest: kinit %s: %w", principal, err)
	}
	content, err := credentialCache(reply)
	if err != nil {
		return err
	}
	if err := os.WriteFile(cache+".new", content, 0o600); err != nil {
		return err
	}
	return os.Rename(cache+".new", cache)
}

// credentialCache returns a file in MIT Kerberos's format version 4 with one
// ticket-granting ticket.
func credentialCache(reply messages.ASRep) ([]byte, error) {
	ticket, err := reply.Ticket.Marshal()
	if err != nil {
		return nil, err
	}
	b := []byte{5, 4, 0, 0} // and no headers
	b = appendPrincipal(b, reply.CRealm, reply.CName)

	part := reply.DecryptedEncPart
	b = appendPrincipal(b, reply.CRealm, reply.CName)
	b = appendPrincipal(b, part.SRealm, part.SName)
	b = binary.BigEndian.AppendUint16(b, uint16(part.Key.KeyType))
	b = appendCounted(b, part.Key.KeyValue)
	for _, t := range []time.Time{part.AuthTime, part.AuthTime, part.EndTime} {
		b = binary.BigEndian.AppendUint32(b, uint32(t.Unix()))
	}
	b = append(b, 0, 0, 0, 0) // not renewable
	b = append(b, 0)          // no session key of another ticket
	b = append(b, part.Flags.Bytes...)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0) // no addresses, no authorization data
	b = appendCounted(b, ticket)
	return appendCounted(b, nil), nil
}

func appendPrincipal(b []byte, realm string, name types.PrincipalName) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(name.NameType))
	b = binary.BigEndian.AppendUint32(b, uint32(len(name.NameString)))
	b = appendCounted(b, []byte(realm))
	for _, element := range name.NameString {
		b = appendCounted(b, []byte(element))
	}
	return b
}

func appendCounted(b, counted []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(counted)))
	return append(b, counted...)
}
