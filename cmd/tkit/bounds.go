package main

import "tkit/internal/commandline"

const many = 1_000_000 // the maximum of counts

// bounds are the limits of a flag's values, far beyond useful ones. A value
// outside is a mistake, which is reported before any data is read.
var bounds = commandline.Bounds{
	"": {
		"validation": {0, 1}, "test": {0, 1}, "per-class": {0, many},
		"plugin-processes": {1, 1024}, "plugin-timeout": {0.001, 24 * 3600}, "plugin-memory": {1, 1 << 24}, "gpu-memory": {0, 1},
	},
	"train": {
		"cache-size": {0, many}, "copies": {0, 1000},
		"shift": {0, 1024}, "brightness": {0, 1}, "contrast": {0, 1},
		"epochs": {1, many}, "batch-size": {1, 65536}, "learning-rate": {commandline.Positive, 1000}, "momentum": {0, 0.9999}, "weight-decay": {0, 10},
		"warmup": {0, 100_000}, "label-smoothing": {0, 0.9999}, "patience": {0, 100_000}, "threads": {0, 1024},
	},
	"serve": {
		"threads": {0, 1024}, "max-batch": {1, 65536}, "max-queue": {1, many}, "max-images": {1, many}, "max-body": {1024, 1 << 36},
		"timeout": {0.001, 24 * 3600}, "drain": {0, 24 * 3600}, "grace": {0, 24 * 3600},
	},
	"predict": {"top": {1, many}},
	"audit":   {"last": {0, 1e9}},
	"bind":    {"version": {1, 1<<31 - 1}},
	"gc":      {"wait": {0, 30 * 24 * 3600}},
	"show":    {"classes": {1, many}},
	"test":    {"rounds": {1, many}},
	"bench":   {"batch": {1, 65536}},
}
