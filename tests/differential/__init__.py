"""The differential suite: virtproto beside the C binding, method by method, on real daemons."""
