import ArgumentParser
import Oxbow
import OxbowCommandLine
import OxbowNIO
import Testing

@testable import OxbowInterop

@Suite struct PerfTestTests {
    private static let environment = [
        "TRANSPORT": "tcp", "MUXER": "yamux", "SECURE_CHANNEL": "noise", "IS_DIALER": "true", "REDIS_ADDR": "r:1",
        "TEST_KEY": "k",
    ]

    @Test func theEnvironmentHasDefaults() throws {
        let test = try PerfTest(
            TestEnvironment(Self.environment.merging(["UPLOAD_ITERATIONS": "null", "DURATION": "20"]) { $1 }))
        #expect(test.isDialer)
        #expect(test.addressKey == "k_listener_multiaddr")
        #expect((test.uploadBytes, test.downloadBytes) == (1_073_741_824, 1_073_741_824))
        #expect((test.uploadIterations, test.downloadIterations, test.latencyIterations) == (10, 10, 100))
    }

    @Test func theEnvironmentsSettings() throws {
        let own = [
            "UPLOAD_BYTES": "1", "DOWNLOAD_BYTES": "18446744073709551615", "UPLOAD_ITERATIONS": "2",
            "DOWNLOAD_ITERATIONS": "3", "LATENCY_ITERATIONS": "4",
        ]
        let test = try PerfTest(TestEnvironment(Self.environment.merging(own) { $1 }))
        #expect((test.uploadBytes, test.downloadBytes) == (1, .max))
        #expect((test.uploadIterations, test.downloadIterations, test.latencyIterations) == (2, 3, 4))
    }

    @Test(arguments: [
        ["UPLOAD_BYTES": "0"], ["DOWNLOAD_BYTES": "-1"], ["UPLOAD_ITERATIONS": "0"], ["LATENCY_ITERATIONS": "ten"],
        ["IS_DIALER": ""], ["TRANSPORT": "quic-v1"], ["TEST_KEY": "null"],
    ])
    func nonsense(_ change: [String: String]) {
        #expect(throws: TestEnvironmentError.self) {
            try PerfTest(TestEnvironment(Self.environment.merging(change) { $1 }))
        }
    }

    @Test(arguments: [
        ("192.0.2.1:4001", "/ip4/192.0.2.1/tcp/4001"), ("localhost:1", "/dns/localhost/tcp/1"),
        ("[::1]:1", "/ip6/::1/tcp/1"),
    ])
    func serverAddresses(_ text: String, _ address: String) throws {
        #expect(try InteropPerfCommand.address(text) == Multiaddr(address))
    }

    @Test(arguments: ["", "192.0.2.1", "192.0.2.1:0", ":1", "a/b:1"])
    func whatIsNoServerAddress(_ text: String) {
        #expect(throws: (any Error).self) { try InteropPerfCommand.address(text) }
    }

    @Test func theOptionsOfTheRunner() throws {
        let parsed = try InteropPerfCommand.parseAsRoot([
            "--server-address", "127.0.0.1:4001", "--transport", "tcp", "--upload-bytes", "9007199254740991",
            "--download-bytes", "0",
        ])
        let command = try #require(parsed as? InteropPerfCommand)
        #expect(command.uploadBytes == 9_007_199_254_740_991)
        for wrong in [["--run-server"], ["--transport", "quic-v1"], ["--upload-bytes", "-1"]] {
            #expect(throws: (any Error).self) { try InteropPerfCommand.parseAsRoot(wrong) }
        }
    }

    @Test func theServersIdIsTheOneThatClientsOfGoExpect() throws {
        #expect(
            try PerfIdentity.key().publicKey.peerID.description
                == "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN")
    }

    @Test(.timeLimit(.minutes(1)), arguments: [true, false])
    func aClientFindsOutWhoTheServerIs(_ isKnown: Bool) async throws {
        let key = try isKnown ? PerfIdentity.key() : PrivateKey.generate(.ed25519)
        try await withHost(identity: key, configuration: .forPerf) { host in
            let address = try #require(try await host.listen(on: Multiaddr("/ip4/127.0.0.1/tcp/0")).first)
            let place = try InteropPerfCommand.address("127.0.0.1:\(try #require(address.tcpEndpoint).port)")
            let found = try await PerfIdentity.peer(at: place)
            #expect(found == key.publicKey.peerID)
        }
    }

    @Test func whereNobodyIsNobodyIsFound() async throws {
        await #expect(throws: DialError.self) { try await PerfIdentity.peer(at: Multiaddr("/ip4/127.0.0.1/tcp/1")) }
    }

    @Test func progressIsToldSinceTheLastReport() {
        let start = ContinuousClock.now
        var progress = PerfProgress(at: start)
        func line(_ up: UInt64, _ down: UInt64, _ seconds: Int) -> String {
            progress.intermediary(uploaded: up, downloaded: down, at: start + .seconds(seconds)).description
        }
        #expect(
            line(10, 0, 1) == #"{"type": "intermediary", "timeSeconds": 1.0, "uploadBytes": 10, "downloadBytes": 0}"#)
        #expect(
            line(9_007_199_254_740_991, 5, 3)
                == #"{"type": "intermediary", "timeSeconds": 2.0, "uploadBytes": 9007199254740981, "downloadBytes": 5}"#
        )
        // The stream is over, and its counts with it.
        #expect(
            line(0, 0, 4) == #"{"type": "intermediary", "timeSeconds": 1.0, "uploadBytes": 0, "downloadBytes": 0}"#)
        #expect(
            progress.final(uploaded: 12, downloaded: 7, at: start + .milliseconds(4_500)).description
                == #"{"type": "final", "timeSeconds": 4.5, "uploadBytes": 12, "downloadBytes": 7}"#)
    }
}
