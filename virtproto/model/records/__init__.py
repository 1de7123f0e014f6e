"""Results as small named records, a module for each topic; ``virtproto.records`` has them all.

Records are tuples with names: they compare, unpack and hash as tuples do. They know no message
class; the functions of ``virtproto.model.shapes`` fill them.
"""
