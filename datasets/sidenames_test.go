package datasets_test

import (
	"testing"

	"tkit/datasets"
)

func TestSideNamed(t *testing.T) {
	for split, names := range map[string][]string{
		datasets.Train: {"train", "TRAIN", "Training", "training_set", "train1", "train2017", "trainset", "TrainImages", "images_train",
			"01-train", "train_2021-05-03", "trainA", "training-data-v2", "trn", "train (1)"},
		datasets.Validation: {"val", "valid", "Validation", "dev", "dev_set", "val2017", "VALIDATION_IMAGES", "valset"},
		datasets.Test: {"test", "testing", "test1", "test_images", "Testing", "eval", "evaluation_set", "holdout", "hold-out", "held_out",
			"HoldOut", "testset", "2019_test"},
		"": {"", "cats", "test strip", "train station", "steam train", "trainer", "contest", "latest", "invalid", "validated", "device",
			"evaluate", "train_test", "trains", "images", "set1", "1", "a", "猫", "pretrain", "testis", "holdall"},
	} {
		for _, name := range names {
			if got, ok := datasets.SideNamed(name); got != split || ok != (split != "") {
				t.Errorf("%q stands for %q, want %q", name, got, split)
			}
		}
	}
}

func TestSideIn(t *testing.T) {
	for name, want := range map[string]string{
		"train-00000-of-00010.tfrecord": datasets.Train, "digits-test.tfrecord-00000-of-00001": datasets.Test,
		"imagenet-val-0001.tar": datasets.Validation, "mnist_training.tar": datasets.Train, "coco_trainset_01.tar": datasets.Train,
		"holdout.tar": datasets.Test, "part-r-00000": "", "latest.tar": "", "train-test-overlap.tar": "", "contest-1.tar": "",
	} {
		if got, ok := datasets.SideIn(name); got != want || ok != (want != "") {
			t.Errorf("%s stands for %q, want %q", name, got, want)
		}
	}
}
