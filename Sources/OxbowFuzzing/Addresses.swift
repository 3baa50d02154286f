import OxbowCore

extension FuzzTarget {
    static let addresses = [
        FuzzTarget(
            "multiaddr", "an address in binary", maximumLength: 1_100,
            seeds: { FuzzAddresses.all.map(\.binary) }, binaryAddress),
        FuzzTarget(
            "multiaddr-text", "an address as text", maximumLength: 2_100,
            seeds: { FuzzAddresses.texts.map { Array($0.utf8) } }, textAddress),
    ]

    private static func binaryAddress(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        let bytes = input.rest()
        guard let address = try? Multiaddr(binary: bytes) else { return .refused }
        try requireEqual(address.binary, bytes, "an address has one binary form")
        try checkAddress(address)
        return .accepted
    }

    private static func textAddress(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        guard let text = String(validating: input.rest(), as: UTF8.self), let address = try? Multiaddr(text) else {
            return .refused
        }
        try requireEqual(try? Multiaddr(binary: address.binary), address, "an address from text has a binary form")
        try checkAddress(address)
        return .accepted
    }

    /// What every address allows to be done with it.
    private static func checkAddress(_ address: Multiaddr) throws(FuzzFailure) {
        let text = address.description
        try require(
            text.utf8.count <= Multiaddr.maximumTextLength, "an address prints within the bound of what is parsed")
        try requireEqual(try? Multiaddr(text), address, "an address reads its own text, \(text)")
        let components = address.components
        try require((1...Multiaddr.maximumComponents).contains(components.count), "the components are counted")
        try requireEqual(
            try? Multiaddr(components: components), address, "components make the address that they are of")
        let parts = [address.withoutPeerID, address.relayAddress].compactMap { $0 }
        for part in parts {
            try require(address.binary.starts(with: part.binary), "a part is the front of its address")
            try requireEqual(try? Multiaddr(binary: part.binary), part, "a part is an address")
        }
        try require(
            (address.withoutPeerID == address) == (address.peerID == nil), "without a peer id nothing is cut off")
        if let endpoint = address.tcpEndpoint {
            try require(address.contains(.tcp) && !address.isRelayed, "\(endpoint) is where TCP is dialled")
        }
        _ = (address.host?.scope, NetworkGroup(address), address.isRelayed)
        guard let longer = try? address.appending(peer: FuzzKeys.second.peerID) else { return }
        try requireEqual(longer.peerID, FuzzKeys.second.peerID, "the peer id that was appended is the last")
        try requireEqual(longer.withoutPeerID, address, "and is cut off again")
    }
}

/// Addresses of every kind.
enum FuzzAddresses {
    static let texts: [String] = {
        let peer = FuzzKeys.second.peerID
        let hash = "uEiAAAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHw"
        return [
            "/ip4/198.51.100.7/tcp/4001", "/ip6/2001:db8::1/tcp/4001/p2p/\(peer)", "/ip4/203.0.113.9/udp/4001/quic-v1",
            "/dns4/example.org/tcp/443/tls/sni/example.org/ws", "/dnsaddr/bootstrap.example.org/p2p/\(peer)",
            "/ip4/192.0.2.1/tcp/4001/p2p/\(FuzzKeys.hashed)/p2p-circuit/p2p/\(peer)",
            "/ip4/192.0.2.1/udp/9/quic-v1/webtransport/certhash/\(hash)", "/memory/7", "/unix/tmp/socket",
            "/ip6zone/eth0/ip6/fe80::1/tcp/1", "/ip4/10.0.0.0/ipcidr/8", "/ip4/127.0.0.1/tcp/1", "/ip4/10.0.0.1/tcp/9",
            "/dns/example.org/tcp/443/wss", "/ip4/192.0.2.1/udp/9/webrtc-direct/certhash/\(hash)",
            "/ip4/8.8.8.8/tcp/53",
            "/ip4/1.1.1.1/tcp/9/http", "/ip6/::ffff:8.8.8.8/tcp/5/noise", "/ip6/2606:4700::1/tcp/4001",
        ]
    }()
    static let all: [Multiaddr] = texts.compactMap { try? Multiaddr($0) }

    /// One of them, or one that the input spells out.
    static func any(_ input: inout FuzzInput) -> Multiaddr {
        let pick = input.int(below: all.count + 4)
        guard pick >= all.count else { return all[pick] }
        let port = UInt16(input.int(below: 4))
        let ip = input.choice([0x0808_0800, 0x0a00_0000, 0x7f00_0000, 0xc633_6400]) + UInt32(input.int(below: 4))
        return (try? Multiaddr(components: [.ip4(IPv4Address(bits: ip)), .tcp(port)])) ?? all[0]
    }
}
