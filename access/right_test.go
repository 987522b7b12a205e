package access

import (
	"strings"
	"testing"
)

func TestRightsForOneAlias(t *testing.T) {
	rights, err := ParseRights("use, promote@candidate,Promote")
	if err != nil || len(rights) != 3 || rights[1] != PromoteTo("candidate") || rights[2] != Promote {
		t.Errorf("%v, %v", rights, err)
	}
	for _, bad := range []string{"", "write", "use@candidate", "promote@", "promote@7", "promote@a/b", "promote@-a", "promote@a@b", "promote@" + strings.Repeat("a", 65)} {
		if rights, err := ParseRights(bad); err == nil {
			t.Errorf("%q is %v", bad, rights)
		}
	}
}
