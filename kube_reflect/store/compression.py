import zlib
class Compressor:
    def compress(self, json: bytes) -> bytes: return zlib.compress(json, 1)
    def decompress(self, packed: bytes) -> bytes: return zlib.decompress(packed)
