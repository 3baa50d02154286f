import OxbowCore
import OxbowSeeds
import Testing

@Suite struct IPAddressTests {
    @Test(
        arguments: [
            ("0.0.0.0", 0), ("255.255.255.255", .max), ("1.2.3.4", 0x0102_0304), ("127.0.0.1", 0x7f00_0001),
        ] as [(String, UInt32)])
    func ip4TextIsLossless(text: String, bits: UInt32) {
        #expect(IPv4Address(text)?.bits == bits)
        #expect(IPv4Address(bits: bits).description == text)
    }

    @Test(arguments: [
        "", ".", "1", "1.2.3", "1.2.3.4.5", "1.2.3.", ".1.2.3", "1..2.3", "256.1.1.1", "01.2.3.4", "1.2.3.00",
        "1.2.3.-4",
        "1.2.3.+4", "1.2.3.4 ", " 1.2.3.4", "1.2.3.0x4", "1.2.3.4a", "1.2.3.99999999999999999999", "::1", "١.2.3.4",
    ])
    func badIP4TextIsRefused(text: String) {
        #expect(IPv4Address(text) == nil)
    }

    /// Text that is canonical by RFC 5952, with the groups that it stands for.
    @Test(arguments: [
        ("::", "00000000000000000000000000000000"), ("::1", "00000000000000000000000000000001"),
        ("1::", "00010000000000000000000000000000"), ("2001:db8::1", "20010db8000000000000000000000001"),
        ("2601:9:4f81:9700:803e:ca65:66e8:c21", "260100094f819700803eca6566e80c21"),
        ("2001:db8:0:1:1:1:1:1", "20010db8000000010001000100010001"),  // one zero group isn't shortened
        ("2001:0:0:1::1", "20010000000000010000000000000001"),  // the longest run is
        ("2001:db8::1:0:0:1", "20010db8000000000001000000000001"),  // of two, the first is
        ("0:1:2:3:4:5:6:7", "00000001000200030004000500060007"),
        ("1:2:3:4:5:6:7:0", "00010002000300040005000600070000"),
        ("::2:3:4:5:6:7", "00000000000200030004000500060007"), ("1:2:3:4:5:6::", "00010002000300040005000600000000"),
        ("fe80::1", "fe800000000000000000000000000001"), ("abcd:ef01::", "abcdef01000000000000000000000000"),
        ("::ffff:192.0.2.1", "00000000000000000000ffffc0000201"),
        ("::ffff:0.0.0.0", "00000000000000000000ffff00000000"),
        ("64:ff9b::c000:201", "0064ff9b0000000000000000c0000201"), ("::1:0:0", "00000000000000000000000100000000"),
    ])
    func ip6TextIsCanonical(text: String, digits: String) {
        let bits = hex(digits).reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
        #expect(IPv6Address(bits: bits).description == text)
        #expect(IPv6Address(text)?.bits == bits)
    }

    @Test(arguments: [
        ("2001:DB8::A", "2001:db8::a"), ("2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"),
        ("0:0:0:0:0:0:0:0", "::"), ("::0", "::"), ("0::", "::"), ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
        ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"), ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"),
        ("::1.2.3.4", "::102:304"), ("64:ff9b::192.0.2.1", "64:ff9b::c000:201"),
        ("::ffff:c000:201", "::ffff:192.0.2.1"),
        ("1:2::3.4.5.6", "1:2::304:506"),
    ])
    func otherIP6TextIsRead(text: String, canonical: String) {
        #expect(IPv6Address(text)?.description == canonical)
    }

    @Test(arguments: [
        "", ":", ":::", "::::", "1", "1:", ":1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:", ":2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7:8:",
        "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "1::2::3", "1:::2", "12345::", "g::", "::-1",
        "fe80::1%eth0", "::1/64", "[::1]", " ::1", "1.2.3.4", "::1.2.3", "::1.2.3.04", "::1.2.3.4:5", "1.2.3.4::",
        "1:2:3:4:5:6:7:1.2.3.4", "::ffff:256.0.0.1", "1::2:3:4:5:6:7:8", "::\u{661}",
    ])
    func badIP6TextIsRefused(text: String) {
        #expect(IPv6Address(text) == nil)
    }

    @Test func everyIP6AddressPrintsToWhatIsReadBack() {
        var random = SplitMix64(seed: 6)
        for _ in 0..<5_000 {
            // Zero groups are frequent: they are what the text treats specially.
            let mask = UInt8.random(in: 0...255, using: &random)
            let bits = (0..<8).reduce(UInt128(0)) { bits, group in
                bits << 16 | (mask >> group & 1 == 1 ? UInt128(UInt16.random(in: 0...0xffff, using: &random)) : 0)
            }
            let address = IPv6Address(bits: bits)
            #expect(IPv6Address(address.description) == address)
        }
    }

    @Test func randomTextIsReadOrRefused() {
        var random = SplitMix64(seed: 7)
        var accepted = 0
        for _ in 0..<50_000 {
            let text = random.text(Int.random(in: 0...20, using: &random), of: "::::01af2.")
            guard let address = IPv6Address(text) else { continue }
            accepted += 1
            #expect(IPv6Address(address.description) == address)
        }
        #expect(accepted > 100)
    }

    @Test(
        arguments: [
            ("0.0.0.0", .unspecified), ("0.0.0.1", .reserved), ("127.0.0.1", .loopback), ("127.255.255.255", .loopback),
            ("126.255.255.255", .global), ("128.0.0.0", .global), ("10.0.0.0", .privateUse), ("11.0.0.0", .global),
            ("172.15.255.255", .global), ("172.16.0.0", .privateUse), ("172.31.255.255", .privateUse),
            ("172.32.0.0", .global), ("192.168.0.1", .privateUse), ("192.169.0.0", .global),
            ("100.63.255.255", .global),
            ("100.64.0.0", .privateUse), ("100.127.255.255", .privateUse), ("100.128.0.0", .global),
            ("169.254.1.1", .linkLocal), ("192.0.0.8", .reserved), ("192.0.2.1", .reserved),
            ("198.51.100.1", .reserved),
            ("203.0.113.1", .reserved), ("198.19.255.255", .reserved), ("198.20.0.0", .global),
            ("223.255.255.255", .global),
            ("224.0.0.1", .reserved), ("240.0.0.1", .reserved), ("255.255.255.255", .reserved), ("8.8.8.8", .global),
        ] as [(String, IPScope)])
    func ip4Scope(text: String, scope: IPScope) {
        #expect(IPv4Address(text)?.scope == scope)
        #expect(IPv6Address("::ffff:" + text)?.scope == scope)
        #expect(IPv6Address("64:ff9b::" + text)?.scope == scope)
    }

    @Test(
        arguments: [
            ("::", .unspecified), ("::1", .loopback), ("::2", .reserved), ("fe80::1", .linkLocal),
            ("febf::1", .linkLocal),
            ("fec0::1", .reserved), ("fc00::1", .privateUse), ("fdff::1", .privateUse), ("fbff::1", .reserved),
            ("fe00::1", .reserved), ("ff02::1", .reserved), ("2001:db8::1", .reserved), ("2001:db9::1", .global),
            ("2001::1", .reserved), ("2001:4860::1", .global), ("2002:a00:1::", .privateUse),
            ("2002:808:808::1", .global),
            ("3fff:fff::1", .reserved), ("3ffe::1", .global), ("2000::", .global), ("1fff::", .reserved),
            ("4000::", .reserved), ("64:ff9b:1::1", .reserved),
        ] as [(String, IPScope)])
    func ip6Scope(text: String, scope: IPScope) {
        #expect(IPv6Address(text)?.scope == scope)
    }
}
