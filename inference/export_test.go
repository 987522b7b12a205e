package inference

// TrunkOf identifies the trunk in memory of an image classifier.
func TrunkOf(h *Handle) any { return h.servable.(*imageClassifier).trunk }
