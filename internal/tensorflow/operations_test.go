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

func TestHasKernel(t *testing.T) {
	for _, tt := range []struct {
		op   string
		dt   DataType
		want bool
	}{
		{"Conv2D", BFloat16, true},
		{"Conv2D", String, false},
		{"Relu", Float32, true},
		{"NoSuchOperation", Float32, false},
	} {
		got, err := HasKernel(tt.op, "T", tt.dt)
		if err != nil || got != tt.want {
			t.Errorf("HasKernel(%s, %v) = %v, %v; want %v", tt.op, tt.dt, got, err, tt.want)
		}
	}
}
