import ArgumentParser
import Oxbow
import OxbowCommandLine
import Testing

@testable import OxbowCLI

@Suite struct SupportTests {
    @Test func jsonKeepsOrderAndQuotes() {
        let value = JSON.object([
            ("b", .array([1, true, .null, .double(0.5), .double(.infinity)])), ("a", "x\"\\\n\u{1}é"),
        ])
        #expect(value.description == #"{"b": [1, true, null, 0.5, null], "a": "x\"\\\n\u0001é"}"#)
    }

    @Test func textOfPeersCannotSteerTheTerminal() {
        #expect(printable("a\u{1B}[31mb\u{202E}c\rd\ne") == "a\u{FFFD}[31mb\u{FFFD}c\u{FFFD}d\ne")
        #expect(printable("Grüße 日本 👋") == "Grüße 日本 👋")
    }

    @Test(arguments: [
        (0, 1, "0.0"), (1.25, 1, "1.3"), (-0.04, 1, "0.0"), (-1.5, 0, "-2"), (12.345, 3, "12.345"), (1.05, 2, "1.05"),
    ])
    func decimals(_ value: Double, _ digits: Int, _ text: String) {
        #expect(decimal(value, digits) == text)
    }

    private static let id = "12D3KooWGX9cj3tpdFgR4KWGp8xRmKD5BBxjvPVHdKUy8crbE2QV"

    @Test func anAddressSaysWhoIsThere() throws {
        let address = try PeerAddress.parse("/ip4/127.0.0.1/tcp/1/p2p/\(Self.id)")
        #expect(address.peer == (try PeerID(Self.id)))
        for text in ["", "x", "/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/tcp/1/p2p/\(Self.id)/p2p-circuit"] {
            #expect(throws: (any Error).self) { try PeerAddress.parse(text) }
        }
    }

    @Test func addressesLeadToOnePeer() throws {
        let first = try PeerAddress.parse("/ip4/127.0.0.1/tcp/1/p2p/\(Self.id)")
        let same = try PeerAddress.parse("/ip4/127.0.0.2/tcp/1/p2p/\(Self.id)")
        let stranger = try PrivateKey.generate(.ed25519).publicKey.peerID
        let other = PeerAddress(same.address, peer: stranger)
        #expect(try PeerAddress.commonPeer(of: [first, same]) == first.peer)
        #expect(throws: (any Error).self) { try PeerAddress.commonPeer(of: [first, other]) }
        #expect(throws: (any Error).self) { try PeerAddress.commonPeer(of: []) }
    }

    @Test(arguments: [
        ["send", "f"], ["send", "f", "/ip4/1.2.3.4/tcp/1"], ["perf", "/ip4/1.2.3.4/tcp/1"], ["ping"],
        ["id", "--type", "dsa"],
        ["id", "--key", "a", "--ephemeral"], ["ping", "--count", "0", "/ip4/1.2.3.4/tcp/1/p2p/\(id)"],
        ["send", "f", "/ip4/1.2.3.4/tcp/1/p2p/\(id)", "--connections", "9"],
        ["send", "f", "/ip4/1.2.3.4/tcp/1/p2p/\(id)", "--connections", "1", "--migrate-every", "1"],
        ["receive", "--max-size", "lots"], ["receive", "--from", "me"], ["listen", "--listen", "here"],
        ["pipe", "listen", "x"],
    ])
    func wrongArgumentsAreRefused(_ arguments: [String]) {
        #expect(throws: (any Error).self) { try OxbowCommand.parseAsRoot(arguments) }
    }

    @Test(arguments: [
        ["id"], ["listen", "--perf", "--echo", "--json"], ["pipe", "listen"], ["perf", "listen"],
        ["perf", "/ip4/1.2.3.4/tcp/1/p2p/\(id)", "--upload", "1GiB"],
        ["send", "f", "/ip4/1.2.3.4/tcp/1/p2p/\(id)", "/dns4/example.org/tcp/1/p2p/\(id)", "--migrate-every", "0.5"],
    ])
    func rightArgumentsAreTaken(_ arguments: [String]) throws {
        _ = try OxbowCommand.parseAsRoot(arguments)
    }
}
