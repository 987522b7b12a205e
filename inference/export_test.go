package inference

// TrunkOf identifies the trunk in memory that a servable stands on.
func TrunkOf(s *Servable) any { return s.trunk }
