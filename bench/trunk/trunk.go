package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"tkit/internal/network"
	"tkit/internal/savedmodel"
)

// writeTrunk reads the base as training does, folds it, cuts it behind its last
// convolutional block and returns the network file.
func writeTrunk(ctx context.Context, base, dir string) (path string, err error) {
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
	trunk, rest, err := folded.Cut("conv5_block3_out", network.PoolAverage)
	if err != nil {
		return "", err
	}
	defer trunk.Close()
	defer rest.Close()
	return encode(trunk, filepath.Join(dir, "trunk.network"))
}

func encode(n *network.Network, path string) (string, error) {
	f, err := os.Create(path)
	if err != nil {
		return "", err
	}
	return path, errors.Join(n.Encode(f), f.Close())
}
