// Package trunk creates the network that benchmark programs run on images.
package trunk

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"tkit/internal/network"
	"tkit/internal/savedmodel"
)

// Write reads a ResNet-50 as training does, folds it, cuts it after its last
// convolutional block and returns the network file.
func Write(ctx context.Context, base, dir string) (path string, err error) {
	whole, err := savedmodel.Read(ctx, base, savedmodel.Options{})
	if err != nil {
		return "", err
	}
	defer whole.Close()
	folded, err := whole.Fold(ctx)
	if err != nil {
		return "", err
	}
	defer folded.Close()
	cut, rest, err := folded.Cut("conv5_block3_out", network.PoolAverage)
	if err != nil {
		return "", err
	}
	defer cut.Close()
	defer rest.Close()
	return Encode(cut, filepath.Join(dir, "trunk.network"))
}

// Encode writes a network to a file and returns its path.
func Encode(n *network.Network, path string) (string, error) {
	f, err := os.Create(path)
	if err != nil {
		return "", err
	}
	return path, errors.Join(n.Encode(f), f.Close())
}
