internal import OxbowCore

/// Picks a multiplexer from what both sides named in the Noise handshake: the first of the initiator's that the
/// responder has too (libp2p/specs, inlined-muxer-negotiation). Nil when either named none.
func agreedMuxer(role: SecurityRole, ours: [ProtocolID], theirs: [String]) throws(SecurityError) -> ProtocolID? {
    guard !ours.isEmpty, !theirs.isEmpty else { return nil }
    let agreed: ProtocolID? =
        switch role {
        case .initiator: ours.first { theirs.contains($0.rawValue) }
        case .responder: theirs.lazy.compactMap { name in ours.first { $0.rawValue == name } }.first
        }
    guard let agreed else { throw .noCommonMuxer }
    return agreed
}
