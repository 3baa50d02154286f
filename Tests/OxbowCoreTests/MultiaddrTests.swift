import OxbowCore
import OxbowSeeds
import Testing

private let qm = "QmcgpsyWgH8Y8ajJz1Cu72KnS5uo2Aa2LpzU7kinSupNKC"
private let k2 = "k2k4r8oqamigqdo6o7hsbfwd45y70oyynp98usk7zmyfrzpqxh1pohl7"
private let ed = "12D3KooWCryG7Mon9orvQxcS1rYZjotPgpwoJNHHKcLLfE4Hf5mV"

/// Every component once, with its text and its binary form.
private let everyComponent: [(component: Multiaddr.Component, text: String, binary: String)] = [
    (.ip4(IPv4Address(bits: 0x7f00_0001)), "/ip4/127.0.0.1", "047f000001"),
    (.ip6(IPv6Address(bits: 1)), "/ip6/::1", "2900000000000000000000000000000001"),
    (.ip6zone("eth0"), "/ip6zone/eth0", "2a0465746830"), (.ipcidr(24), "/ipcidr/24", "2b18"),
    (.dns("a.example"), "/dns/a.example", "3509612e6578616d706c65"), (.dns4("a"), "/dns4/a", "360161"),
    (.dns6("a"), "/dns6/a", "370161"), (.dnsaddr("a"), "/dnsaddr/a", "380161"), (.tcp(4321), "/tcp/4321", "0610e1"),
    (.udp(1234), "/udp/1234", "910204d2"), (.quic, "/quic", "cc03"), (.quicV1, "/quic-v1", "cd03"),
    (.webtransport, "/webtransport", "d103"), (.webrtc, "/webrtc", "9902"), (.webrtcDirect, "/webrtc-direct", "9802"),
    (.tls, "/tls", "c003"), (.sni("a"), "/sni/a", "c1030161"), (.noise, "/noise", "c603"), (.ws, "/ws", "dd03"),
    (.wss, "/wss", "de03"), (.http, "/http", "e003"), (.https, "/https", "bb03"),
    (.p2p(samplePeer(0xab)), "/p2p/\(samplePeer(0xab))", "a503060004abababab"),
    (.p2pCircuit, "/p2p-circuit", "a202"), (.memory(4), "/memory/4", "89060000000000000004"),
    (.unix("/a/b"), "/unix/a/b", "9003042f612f62"),
]

@Suite struct MultiaddrTests {
    @Test(arguments: everyComponent)
    func everyComponentIsLossless(component: Multiaddr.Component, text: String, binary: String) throws {
        let address = try Multiaddr(text)
        #expect(address.binary == hex(binary))
        #expect(address.components == [component])
        #expect(address.description == text)
        #expect(component.description == text)
        #expect(try Multiaddr(binary: hex(binary)) == address)
        #expect(try Multiaddr(components: [component]) == address)
    }

    @Test func theComponentsAboveAreAll() {
        #expect(Set(everyComponent.map(\.component.kind)).union([.certhash]) == Set(AddressProtocol.allCases))
        #expect(Set(everyComponent.map(\.component)).count == everyComponent.count)
        #expect(Set(AddressProtocol.allCases.map(\.name)).count == AddressProtocol.allCases.count)
    }

    /// Text that other implementations accept, and its canonical form where that differs.
    @Test(
        arguments: [
            ("/ip4/1.2.3.4", nil), ("/ip4/0.0.0.0", nil), ("/ip4/192.0.2.0/ipcidr/24", nil), ("/ip6/::1", nil),
            ("/ip6/2601:9:4f81:9700:803e:ca65:66e8:c21/udp/1234/quic-v1", nil), ("/ip6/2001:db8::/ipcidr/32", nil),
            ("/ip6zone/x/ip6/fe80::1", nil), ("/ip6zone/x%y/ip6/fe80::1", nil), ("/ip6zone/x%y/ip6/::", nil),
            ("/ip6zone/x/ip6/fe80::1/udp/1234/quic", nil), ("/udp/0", nil), ("/tcp/0", nil), ("/udp/65535", nil),
            ("/tcp/65535", nil), ("/ipfs/\(qm)", "/p2p/\(qm)"), ("/ipfs/\(k2)", "/p2p/\(qm)"), ("/p2p/\(qm)", nil),
            ("/p2p/\(k2)", "/p2p/\(qm)"),
            ("/p2p/bafzbeigvf25ytwc3akrijfecaotc74udrhcxzh2cx3we5qqnw5vgrei4bm", "/p2p/\(qm)"),
            ("/p2p/\(ed)", nil), ("/p2p/k51qzi5uqu5dhb6l8spkdx7yxafegfkee5by8h7lmjh2ehc2sgg34z7c15vzqs", "/p2p/\(ed)"),
            ("/p2p/bafzaajaiaejcalj543iwv2d7pkjt7ykvefrkfu7qjfi6sduakhso4lay6abn2d5u", "/p2p/\(ed)"),
            ("/tcp/1234/http", nil),
            ("/tcp/1234/tls/http", nil), ("/tcp/1234/https", nil), ("/p2p/\(qm)/tcp/1234", nil),
            ("/ip4/127.0.0.1/udp/1234", nil), ("/ip4/127.0.0.1/tcp/1234/", "/ip4/127.0.0.1/tcp/1234"),
            ("/ip4/127.0.0.1/udp/1234/quic-v1/webtransport", nil),
            ("/ip4/127.0.0.1/p2p/\(qm)/tcp/1234/unix/stdio", nil), ("/unix/a/b/c/d/e", nil), ("/unix/stdio", nil),
            ("/unix/a//b", nil), ("/unix/a/b/", "/unix/a/b"), ("/unix/tmp/é ü", nil),
            ("/ip4/1.2.3.4/tcp/80/unix/a/b/c/d/e/f", nil), ("/ip4/127.0.0.1/tcp/127/ws", nil),
            ("/ip4/127.0.0.1/tcp/127/tls/ws", nil), ("/ip4/127.0.0.1/tcp/127/noise", nil),
            ("/ip4/127.0.0.1/tcp/127/wss", nil), ("/ip4/127.0.0.1/tcp/127/webrtc-direct", nil),
            ("/ip4/127.0.0.1/tcp/127/webrtc", nil), ("/memory/4", nil), ("/memory/18446744073709551615", nil),
            ("/ip4/127.0.0.1/tcp/443/tls/sni/example.com/http", nil), ("/dnsaddr/bootstrap.libp2p.io", nil),
            ("/ip6/2001:DB8:0::1/tcp/1", "/ip6/2001:db8::1/tcp/1"), ("/ip6/::ffff:127.0.0.1/tcp/111", nil),
            ("/ip4/127.0.0.1/tcp/9/p2p/\(qm)/p2p-circuit/p2p/\(ed)", nil),
        ] as [(String, String?)])
    func goodAddresses(text: String, canonical: String?) throws {
        let address = try Multiaddr(text)
        #expect(address.description == canonical ?? text)
        #expect(try Multiaddr(address.description) == address)
        #expect(try Multiaddr(binary: address.binary) == address)
        #expect(try Multiaddr(components: address.components) == address)
    }

    @Test(arguments: [
        ("/ip4/127.0.0.1/udp/1234", "047f000001910204d2"), ("/ip4/127.0.0.1/tcp/4321", "047f0000010610e1"),
        ("/ip4/127.0.0.1/udp/1234/ip4/127.0.0.1/tcp/4321", "047f000001910204d2047f0000010610e1"),
    ])
    func binaryVectors(text: String, binary: String) throws {
        #expect(try Multiaddr(text).binary == hex(binary))
        #expect(try Multiaddr(binary: hex(binary)).description == text)
    }

    @Test func certificateHashesComeInAnyBase() throws {
        let base = "/ip4/127.0.0.1/udp/1234/quic-v1/webtransport"
        let first = try Multiaddr(base + "/certhash/b2uaraocy6yrdblb4sfptaddgimjmmpy")
        guard case .certhash(let hash)? = first.components.last else {
            Issue.record("the last component isn't a certificate hash")
            return
        }
        #expect(hash.digest.count == 16)
        #expect(first.description == base + "/certhash/" + Multibase.base64url.encode(hash.binary))
        #expect(try Multiaddr(first.description) == first)
        let two = try Multiaddr(
            first.description + "/certhash/zQmbWTwYGcmdyK9CYfNBcfs9nhZs17a6FQ4Y8oea278xx41")
        #expect(two.components.suffix(2).allSatisfy { $0.kind == .certhash })
        #expect(try Multiaddr(components: two.components) == two)
    }

    @Test(arguments: [
        "/ip4", "/ip4/::1", "/ip4/fdpsofodsajfdoisa", "/ip4/::/ipcidr/256", "/ip6/::/ipcidr/1026", "/ip6", "/ip6zone",
        "/ip6zone/", "/ip6zone//ip6/fe80::1", "/udp", "/tcp", "/sctp", "/udp/65536", "/tcp/65536", "/quic/65536",
        "/quic-v1/65536", "/udp/1234/sctp", "/udp/1234/udt/1234", "/ip4/127.0.0.1/udp/jfodsajfidosajfoidsa",
        "/ip4/127.0.0.1/udp", "/ip4/127.0.0.1/tcp/jfodsajfidosajfoidsa", "/ip4/127.0.0.1/tcp",
        "/ip4/127.0.0.1/quic/1234", "/ip4/127.0.0.1/udp/1234/quic-v1/webtransport/certhash",
        "/ip4/127.0.0.1/udp/1234/quic-v1/webtransport/certhash/b2uaraocy6yrdblb4sfptaddgimjmmp",
        "/ip4/127.0.0.1/ipfs", "/ip4/127.0.0.1/ipfs/tcp", "/ip4/127.0.0.1/p2p", "/ip4/127.0.0.1/p2p/tcp", "/unix",
        "/unix/", "/unix//", "/unix/a//", "/unix/a\nb", "/unix/a\u{85}b", "/ip4/1.2.3.4/tcp/80/unix",
        "/ip4/1.2.3.4/tcp/-1", "/ip4/1.2.3.4/tcp/080", "/ip4/127.0.0.1/tcp/9090/http/p2p-webcrt-direct",
        "/memory/92233720368547758081", "/memory/18446744073709551616", "/memory/", "/", "", "//", "ip4/1.2.3.4",
        " /ip4",
        "/p2p/QmxoHT6iViN5xAjoz1VZ553cL31U9F94ht3QvWR1FrEbZY", "/ip4/1.2.3.4//tcp/1", "//ip4/1.2.3.4",
        "/ip4/1.2.3.4/tcp/1//", "/IP4/1.2.3.4", "/dns/", "/dns/exämple", "/dns/a b", "/dns/a\n", "/sni/\0",
        "/ip4/0x7f.1", "/ip6/fe80::1%eth0", "/ip4/1.2.3.4/tcp/1\n", "/p2p", "/tcp/１",
    ])
    func badAddresses(text: String) {
        #expect(throws: MultiaddrError.self) { try Multiaddr(text) }
    }

    @Test func errorsOfTextSayWhatAndWhere() {
        #expect(throws: MultiaddrError.empty) { try Multiaddr("") }
        #expect(throws: MultiaddrError.empty) { try Multiaddr("/") }
        #expect(throws: MultiaddrError.noLeadingSlash) { try Multiaddr("ip4/1.2.3.4") }
        #expect(throws: MultiaddrError.unknownProtocol("onion", offset: 13)) { try Multiaddr("/ip4/1.2.3.4/onion/x") }
        #expect(throws: MultiaddrError.missingValue(of: .tcp, offset: 13)) { try Multiaddr("/ip4/1.2.3.4/tcp") }
        #expect(throws: MultiaddrError.invalidValue(of: .tcp, value: "x", .notANumber(limit: 65535), offset: 17)) {
            try Multiaddr("/ip4/1.2.3.4/tcp/x")
        }
        #expect(throws: MultiaddrError.invalidValue(of: .ip4, value: "1.2.3", .notIPv4, offset: 5)) {
            try Multiaddr("/ip4/1.2.3")
        }
        #expect(throws: MultiaddrError.invalidValue(of: .ip6, value: "x", .notIPv6, offset: 5)) {
            try Multiaddr("/ip6/x")
        }
        #expect(
            throws: MultiaddrError.invalidValue(
                of: .p2p, value: "0", .peerID(.cid(.text(.unknownBase(0x30)))), offset: 5)
        ) {
            try Multiaddr("/p2p/0")
        }
        #expect(
            throws: MultiaddrError.invalidValue(of: .certhash, value: "0", .multibase(.unknownBase(0x30)), offset: 10)
        ) {
            try Multiaddr("/certhash/0")
        }
        #expect(throws: MultiaddrError.invalidValue(of: .certhash, value: "f12", .multihash(.truncated), offset: 10)) {
            try Multiaddr("/certhash/f12")
        }
        let name = String(repeating: "n", count: 1000)
        #expect(throws: MultiaddrError.unknownProtocol(String(name.prefix(64)), offset: 1)) {
            try Multiaddr("/" + name)
        }
    }

    @Test func errorsOfBinarySayWhatAndWhere() {
        func parse(_ digits: String) throws -> Multiaddr { try Multiaddr(binary: hex(digits)) }
        #expect(throws: MultiaddrError.empty) { try parse("") }
        #expect(throws: MultiaddrError.truncated(offset: 0)) { try parse("04") }
        #expect(throws: MultiaddrError.truncated(offset: 5)) { try parse("047f00000106") }
        #expect(throws: MultiaddrError.truncated(offset: 0)) { try parse("047f0000") }
        #expect(throws: MultiaddrError.truncated(offset: 0)) { try parse("35") }
        #expect(throws: MultiaddrError.truncated(offset: 0)) { try parse("350261") }
        #expect(throws: MultiaddrError.truncated(offset: 0)) { try parse("35ffffffffffffffff7f61") }
        #expect(throws: MultiaddrError.truncated(offset: 0)) { try parse("cc") }
        #expect(throws: MultiaddrError.invalidVarint(.notMinimal, offset: 0)) { try parse("84007f000001") }
        #expect(throws: MultiaddrError.invalidVarint(.notMinimal, offset: 1)) { try parse("35810061") }
        #expect(throws: MultiaddrError.invalidVarint(.tooLong, offset: 0)) { try parse("ffffffffffffffffffff01") }
        #expect(throws: MultiaddrError.unknownCode(5, offset: 5)) { try parse("047f00000105") }
        #expect(throws: MultiaddrError.invalidValue(of: .dns, value: "0x", .notAName, offset: 2)) { try parse("3500") }
        #expect(throws: MultiaddrError.invalidValue(of: .dns, value: "0x2f", .notAName, offset: 2)) {
            try parse("35012f")
        }
        #expect(throws: MultiaddrError.invalidValue(of: .unix, value: "0x61", .notAPath, offset: 3)) {
            try parse("90030161")
        }
        #expect(throws: MultiaddrError.invalidValue(of: .unix, value: "0x2fff", .notAPath, offset: 3)) {
            try parse("9003022fff")
        }
        #expect(
            throws: MultiaddrError.invalidValue(
                of: .p2p, value: "0x1300", .peerID(.unsupportedHash(code: 0x13)), offset: 3)
        ) {
            try parse("a503021300")
        }
        #expect(throws: MultiaddrError.invalidValue(of: .certhash, value: "0x1302", .multihash(.truncated), offset: 3))
        {
            try parse("d203021302")
        }
        #expect(throws: MultiaddrError.behindPath(offset: 5)) { try parse("9003022f61cc03") }
    }

    @Test func everyErrorHasAMessage() {
        let errors: [(MultiaddrError, String)] = [
            (.empty, "empty"), (.tooLong(length: 3000, limit: 2048), "3000"), (.tooManyComponents(limit: 32), "32"),
            (.noLeadingSlash, "slash"), (.unknownProtocol("x\ny", offset: 7), #""x\ny" at offset 7"#),
            (.unknownCode(5, offset: 7), "code 5 at offset 7"), (.missingValue(of: .tcp, offset: 7), "tcp at offset 7"),
            (.truncated(offset: 7), "offset 7"), (.invalidVarint(.tooLong, offset: 7), "offset 7"),
            (.behindPath(offset: 7), "offset 7"),
        ]
        for (error, part) in errors { #expect(error.description.contains(part)) }
        let reasons: [(AddressValueError, String)] = [
            (.notIPv4, "0 to 255"), (.notIPv6, "ip6zone"), (.notANumber(limit: 65535), "65535"),
            (.notAName, "punycode"),
            (.notAPath, "slash"), (.peerID(.wrongCodec(1)), "peer id"), (.multibase(.empty), "empty"),
            (.multihash(.truncated), "ends"),
        ]
        for (reason, part) in reasons {
            let error = MultiaddrError.invalidValue(of: .dns, value: "\n", reason, offset: 7)
            #expect(error.description.contains(part))
            #expect(error.description.contains(#""\n" at offset 7 is not a value for dns"#))
        }
    }

    @Test func boundsHold() throws {
        let most = String(repeating: "/quic", count: 32)
        #expect(try Multiaddr(most).components.count == 32)
        #expect(throws: MultiaddrError.tooManyComponents(limit: 32)) { try Multiaddr(most + "/quic") }
        let binary = try Multiaddr(most).binary
        #expect(throws: MultiaddrError.tooManyComponents(limit: 32)) { try Multiaddr(binary: binary + [0xcc, 0x03]) }
        #expect(throws: MultiaddrError.tooLong(length: 100_001, limit: 2048)) {
            try Multiaddr("/" + String(repeating: "a", count: 100_000))
        }
        #expect(throws: MultiaddrError.tooLong(length: 1025, limit: 1024)) {
            try Multiaddr(binary: [UInt8](repeating: 4, count: 1025))
        }
        let name = String(repeating: "a", count: 255)
        #expect(throws: MultiaddrError.tooLong(length: 5 * 258, limit: 1024)) {
            try Multiaddr(String(repeating: "/dns/" + name, count: 5))
        }
        let expected = MultiaddrError.invalidValue(of: .dns, value: String(name.prefix(64)), .notAName, offset: 5)
        #expect(throws: expected) { try Multiaddr("/dns/a" + name) }
    }

    /// What prints longest for its binary length, filled up to the bound: it must still be read back.
    @Test func everyAcceptedAddressPrintsWithinTheBoundOfText() throws {
        let digest = try Multihash(code: 0, digest: [UInt8](repeating: 0xff, count: 128))
        let peer = try PeerID(multihash: [0, 42] + [UInt8](repeating: 0xff, count: 42))
        let costly: [Multiaddr.Component] = [.certhash(digest), .p2p(peer), .memory(.max), .dnsaddr("a")]
        for component in costly {
            for count in 0...32 {
                let long = Multiaddr.Component.ip6(IPv6Address(bits: .max))
                let components = Array(repeating: component, count: count) + Array(repeating: long, count: 32 - count)
                guard let address = try? Multiaddr(components: components) else { continue }
                #expect(address.description.utf8.count <= Multiaddr.maximumTextLength)
                #expect(try Multiaddr(address.description) == address)
            }
        }
    }
}

@Suite struct MultiaddrPropertyTests {
    private func address(_ random: inout SplitMix64) throws -> Multiaddr {
        let count = Int.random(in: 1...8, using: &random)
        let texts = (0..<count).compactMap { _ in everyComponent.dropLast().randomElement(using: &random)?.text }
        return try Multiaddr(texts.joined())
    }

    @Test func randomAddressesAreLossless() throws {
        var random = SplitMix64(seed: 8)
        for _ in 0..<2_000 {
            let address = try address(&random)
            #expect(try Multiaddr(address.description) == address)
            #expect(try Multiaddr(binary: address.binary) == address)
            #expect(try Multiaddr(components: address.components) == address)
            let other = try self.address(&random)
            #expect((address == other) == (address.description == other.description))
            #expect(Set([address, other, try Multiaddr(binary: address.binary)]).count == (address == other ? 1 : 2))
            #expect(try address.appending(contentsOf: other).description == address.description + other.description)
        }
    }

    @Test func damagedBinaryIsReadOrRefused() throws {
        var random = SplitMix64(seed: 9)
        var accepted = 0
        for _ in 0..<20_000 {
            var bytes = try address(&random).binary
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let index = Int.random(in: bytes.indices, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[index] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.insert(UInt8.random(in: 0...255, using: &random), at: index)
                default: bytes = bytes.count > 1 ? Array(bytes.prefix(index + 1)) : bytes
                }
            }
            guard let address = try? Multiaddr(binary: bytes) else { continue }
            accepted += 1
            #expect(address.binary == bytes)
            #expect(try Multiaddr(address.description) == address)
            #expect(try Multiaddr(components: address.components) == address)
        }
        #expect(accepted > 1_000)
    }

    @Test func randomInputIsReadOrRefused() {
        var random = SplitMix64(seed: 10)
        for _ in 0..<20_000 {
            let bytes = random.bytes(Int.random(in: 0...40, using: &random))
            if let address = try? Multiaddr(binary: bytes) { #expect(address.binary == bytes) }
            _ = try? Multiaddr(String(decoding: bytes, as: UTF8.self))
            let text = random.text(Int.random(in: 0...30, using: &random), of: "/////iptcpunixdns46:.1")
            if let address = try? Multiaddr("/ip4/1.1.1.1" + text) {
                #expect((try? Multiaddr(address.description)) == address)
            }
        }
    }
}
