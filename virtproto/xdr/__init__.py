"""XDR (RFC 4506): values to bytes and back, by generated code and by the contract.

Responsible for: the base class of generated messages, the run-time pieces their code calls, typed
parameters, and an independent reference codec that walks the contract and can annotate bytes.
Must not know: which messages exist (virtproto.wire says so), programs, sockets, or time. It imports
virtproto.errors and nothing else of the project; each submodule is imported where it is used.
"""
