package tensorflow

import "testing"

func TestOperations(t *testing.T) {
	defs, err := Operations()
	if err != nil {
		t.Fatal(err)
	}
	for name, stateful := range map[string]bool{"Conv2D": false, "AddV2": false, "VarHandleOp": true, "RandomUniform": true} {
		if def := defs[name]; def == nil || def.GetIsStateful() != stateful {
			t.Errorf("%s: got %v, want one with state %v", name, def, stateful)
		}
	}
}
