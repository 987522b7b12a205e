from peer import peers

__all__ = ["peers"]
