import OxbowCore
import OxbowProtocols
import OxbowWire
import Testing

private func address(_ text: String) throws -> Multiaddr { try Multiaddr(text) }

/// AutoNAT v2 by the side that asks.
@Suite struct AutoNATv2ClientTests {
    private func client(maximumDialData: Int = 100_000) throws -> AutoNATv2Client {
        AutoNATv2Client(
            addresses: [try address("/ip4/1.2.3.4/tcp/1"), try address("/ip6/2600::1/tcp/2")], nonce: 77,
            maximumDialData: maximumDialData)
    }

    private func receive(
        _ message: AutoNATv2Message, _ client: inout AutoNATv2Client
    ) throws -> AutoNATv2Client.Step {
        var input = message.encodedDelimited()[...]
        defer { #expect(input.isEmpty) }
        return try client.receive(&input)
    }

    private func response(_ status: UInt64, _ index: UInt64 = 0, _ dial: UInt64 = 0) -> AutoNATv2Message {
        .dialResponse(AutoNATv2Response(status: status, index: index, dialStatus: dial))
    }

    @Test("A nonce that comes before the response proves it; whoever shows it")
    func dialBackFirst() throws {
        var client = try client()
        var request = client.start()[...]
        #expect(
            try AutoNATv2Message.decodeDelimited(from: &request)
                == .dialRequest(
                    addresses: [
                        try address("/ip4/1.2.3.4/tcp/1").binary, try address("/ip6/2600::1/tcp/2").binary,
                    ], nonce: 77))
        #expect(client.expects(nonce: 77))
        #expect(client.receiveDialBack(nonce: 77, at: try address("/ip6/fd00::2/tcp/9")) == .needMoreInput)
        #expect(!client.expects(nonce: 77), "it is shown once")
        let reached = try address("/ip6/2600::1/tcp/2")
        #expect(
            try receive(response(200, 1, 200), &client) == .done(.reachable(reached, isProved: true)))
    }

    @Test("A nonce that comes behind the response is waited for")
    func dialBackLast() throws {
        var client = try client()
        #expect(try receive(response(200, 0, 200), &client) == .awaitDialBack)
        try client.receiveEnd()
        let reached = try address("/ip4/1.2.3.4/tcp/1")
        #expect(
            client.receiveDialBack(nonce: 77, at: try address("/ip4/10.0.0.1/tcp/9"))
                == .done(.reachable(reached, isProved: true)))
    }

    @Test("A server that claims a success without a nonce, or with another, is not believed")
    func lyingServer() throws {
        var client = try client()
        #expect(client.receiveDialBack(nonce: 78, at: nil) == nil, "a nonce mismatch")
        #expect(try receive(response(200, 0, 200), &client) == .awaitDialBack)
        #expect(client.receiveDialBack(nonce: 76, at: nil) == nil)
        #expect(client.giveUp() == .void)
        #expect(client.receiveDialBack(nonce: 77, at: nil) == nil, "too late")
    }

    @Test("A nonce on a connection of another kind than the address says nothing")
    func otherTransport() throws {
        var client = try client()
        #expect(client.receiveDialBack(nonce: 77, at: try address("/ip4/10.0.0.1/tcp/9")) != nil)
        #expect(try receive(response(200, 1, 200), &client) == .done(.void))
    }

    @Test("What a response makes of a request", arguments: [false, true])
    func verdicts(hasNonce: Bool) throws {
        let first = try address("/ip4/1.2.3.4/tcp/1")
        let reached = AutoNATAnswer.reachable(first, isProved: true)
        let cases: [(AutoNATv2Message, AutoNATAnswer)] = [
            (response(101), .refused), (response(100), .rejected), (response(0), .void), (response(17), .void),
            (response(.max), .void), (response(1 << 32 + 200), .void),
            // It could not connect, and yet its nonce is here: that answer contradicts itself.
            (response(200, 0, 100), hasNonce ? .void : .unreachable([first])),
            (response(200, 0, 101), hasNonce ? reached : .void),
            (response(200, 0, 0), .void), (response(200, 0, 5), .void), (response(200, 0, .max), .void),
        ]
        for (message, answer) in cases {
            var client = try client()
            if hasNonce { _ = client.receiveDialBack(nonce: 77, at: try address("/ip4/10.0.0.1/tcp/9")) }
            #expect(try receive(message, &client) == .done(answer), "\(message)")
            #expect(throws: AutoNATError.unexpectedMessage) { try receive(message, &client) }
        }
    }

    @Test("An index behind the request's end is an error, however large", arguments: [2, 1 << 32, UInt64.max])
    func wrongIndex(index: UInt64) throws {
        var client = try client()
        #expect(throws: AutoNATError.unknownAddress(index: index)) { try receive(response(200, index, 200), &client) }
        #expect(throws: AutoNATError.unknownAddress(index: index)) {
            try receive(.dialDataRequest(index: index, count: 1), &client)
        }
    }

    @Test("A dial is paid for once, up to a bound", arguments: [(0, 0), (1, 1), (4_096, 1), (4_097, 2), (100_000, 25)])
    func pays(count: UInt64, messages: Int) throws {
        var client = try client()
        guard case .send(let data) = try receive(.dialDataRequest(index: 0, count: count), &client) else {
            Issue.record("nothing to send")
            return
        }
        #expect(data.count == messages)
        for message in data {
            var input = message[...]
            guard case .dialData(let bytes) = try AutoNATv2Message.decodeDelimited(from: &input) else {
                Issue.record("not dial data")
                return
            }
            #expect(bytes.count == 4_096)
        }
        #expect(throws: AutoNATError.unexpectedMessage, "twice") {
            try receive(.dialDataRequest(index: 0, count: 1), &client)
        }
    }

    @Test("CVE-2026-33040: a demand without measure is refused", arguments: [100_001, 1 << 40, UInt64.max])
    func refusesToPay(count: UInt64) throws {
        var client = try client()
        #expect(throws: AutoNATError.tooMuchDialData(count, limit: 100_000)) {
            try receive(.dialDataRequest(index: 0, count: count), &client)
        }
    }

    @Test("A server's own kinds of message and an early end are errors")
    func violations() throws {
        for message: AutoNATv2Message in [.dialRequest(addresses: [], nonce: 0), .dialData([])] {
            var client = try client()
            #expect(throws: AutoNATError.unexpectedMessage) { try receive(message, &client) }
        }
        var client = try client()
        #expect(throws: AutoNATError.endedEarly) { try client.receiveEnd() }
        var part = response(200, 0, 200).encodedDelimited().dropLast()[...]
        #expect(try client.receive(&part) == .needMoreInput)
    }

    @Test("The side that is dialled reads one nonce")
    func readsNonce() throws {
        var reader = AutoNATDialBackReader()
        var input = AutoNATDialBackWriter.start(nonce: 9)[...]
        var part = input.prefix(4)
        #expect(try reader.receive(&part) == nil)
        #expect(try reader.receive(&input) == 9)
        var again = AutoNATDialBackWriter.start(nonce: 9)[...]
        #expect(throws: AutoNATError.unexpectedMessage) { try reader.receive(&again) }
        var writer = AutoNATDialBackWriter()
        var answer = AutoNATDialBackReader.answer[...]
        #expect(try writer.receive(&answer))
    }
}

/// AutoNAT v2 by the side that dials.
@Suite struct AutoNATv2ServerTests {
    private func server(
        observed: String? = "/ip4/1.2.3.4/tcp/40000", _ policy: ReachableAddressPolicy = ReachableAddressPolicy(),
        dialData: Int = 30_000
    ) throws -> AutoNATv2Server {
        AutoNATv2Server(observed: try observed.map(address), policy: policy, dialData: dialData)
    }

    private func request(_ addresses: [String], nonce: UInt64 = 5) throws -> [UInt8] {
        AutoNATv2Message.dialRequest(addresses: try addresses.map { try address($0).binary }, nonce: nonce)
            .encodedDelimited()
    }

    private func receive(_ bytes: [UInt8], _ server: inout AutoNATv2Server) throws -> AutoNATv2Server.Step {
        var input = bytes[...]
        return try server.receive(&input)
    }

    private func response(_ bytes: [UInt8]) throws -> AutoNATv2Response? {
        var input = bytes[...]
        guard case .dialResponse(let response) = try AutoNATv2Message.decodeDelimited(from: &input) else { return nil }
        return response
    }

    @Test("The host that asks is dialled at once, at its first good address")
    func sameHost() throws {
        var server = try server()
        let step = try receive(
            try request(["/ip4/10.0.0.1/tcp/1", "/ip4/1.2.3.4/tcp/9", "/ip4/1.2.3.4/tcp/10"]), &server)
        #expect(step == .dial(try address("/ip4/1.2.3.4/tcp/9"), nonce: 5))
        #expect(
            try response(server.dialled(.ok)) == AutoNATv2Response(status: 200, index: 1, dialStatus: 200))
    }

    @Test("An IPv4 address in IPv6's clothes is the same host")
    func mappedAddress() throws {
        var server = try server(observed: "/ip6/::ffff:1.2.3.4/tcp/5")
        #expect(
            try receive(try request(["/ip4/1.2.3.4/tcp/9"]), &server)
                == .dial(try address("/ip4/1.2.3.4/tcp/9"), nonce: 5))
    }

    @Test(
        "Addresses that nobody should be made to dial are passed over",
        arguments: [
            "/ip4/10.0.0.1/tcp/1", "/ip4/192.168.1.1/tcp/1", "/ip4/127.0.0.1/tcp/1", "/ip4/169.254.1.1/tcp/1",
            "/ip4/100.64.0.1/tcp/1", "/ip4/0.0.0.0/tcp/1", "/ip4/224.0.0.1/tcp/1", "/ip4/1.2.3.4/tcp/0",
            "/ip6/::1/tcp/1", "/ip6/fe80::1/tcp/1", "/ip6/fd00::1/tcp/1", "/ip6/::ffff:127.0.0.1/tcp/1",
            "/ip6/64:ff9b::7f00:1/tcp/1", "/ip6/2002:7f00:1::/tcp/1", "/ip6zone/eth0/ip6/2600::1/tcp/1",
            "/dns4/localhost/tcp/1", "/dns/example.com/tcp/443", "/ip4/1.2.3.4/udp/1/quic-v1", "/memory/7",
            "/ip4/1.2.3.4/tcp/9/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA/p2p-circuit",
            "/unix/tmp/socket", "/ip4/1.2.3.4/tcp/9/ws",
        ])
    func refusedAddresses(text: String) throws {
        #expect(!ReachableAddressPolicy().allows(try address(text)))
        var server = try server()
        guard case .respond(let bytes) = try receive(try request([text]), &server) else {
            Issue.record("\(text) would be dialled")
            return
        }
        #expect(try response(bytes)?.status == AutoNATv2Status.dialRefused.rawValue)
    }

    @Test("A reflected dial: another host is dialled only when that was paid for", arguments: [30_000, 100_000])
    func foreignHost(cost: Int) throws {
        for observed in ["/ip4/9.9.9.9/tcp/1", nil] {
            var server = try server(observed: observed, dialData: cost)
            guard case .demand(let bytes) = try receive(try request(["/ip4/1.2.3.4/tcp/9"]), &server) else {
                Issue.record("the victim would be dialled for nothing")
                return
            }
            var input = bytes[...]
            #expect(
                try AutoNATv2Message.decodeDelimited(from: &input)
                    == .dialDataRequest(index: 0, count: UInt64(cost)))
            let data = AutoNATv2Message.dialData([UInt8](repeating: 1, count: 1_000)).encodedDelimited()
            for _ in 1..<cost / 1_000 { #expect(try receive(data, &server) == .needMoreInput) }
            #expect(try receive(data, &server) == .dial(try address("/ip4/1.2.3.4/tcp/9"), nonce: 5))
            #expect(throws: AutoNATError.unexpectedMessage, "a flood goes on") { try receive(data, &server) }
        }
    }

    @Test("Dial data in crumbs, or in loaves, is an error; the last crumb may be small")
    func dialDataSizes() throws {
        func paid(_ sizes: [Int]) throws -> AutoNATv2Server.Step {
            var server = try server(observed: nil)
            _ = try receive(try request(["/ip4/1.2.3.4/tcp/9"]), &server)
            var step = AutoNATv2Server.Step.needMoreInput
            for size in sizes {
                step = try receive(
                    AutoNATv2Message.dialData([UInt8](repeating: 0, count: size)).encodedDelimited(), &server)
            }
            return step
        }
        #expect(throws: AutoNATError.dialDataSize(99)) { try paid([99]) }
        #expect(throws: AutoNATError.dialDataSize(0)) { try paid([0]) }
        #expect(throws: AutoNATError.dialDataSize(4_097)) { try paid([4_097]) }
        let nearlyAll = [Int](repeating: 4_096, count: 7) + [1_327]
        #expect(try paid(nearlyAll) == .needMoreInput)
        #expect(try paid(nearlyAll + [1]) != .needMoreInput)
        #expect(try paid(nearlyAll + [4_096]) != .needMoreInput)
        #expect(throws: AutoNATError.dialDataSize(0)) { try paid(nearlyAll + [0]) }
    }

    @Test("Nothing decodable, nothing at all, and a family without a way are refused")
    func nothingToDial() throws {
        var ip4Only = ReachableAddressPolicy()
        ip4Only.allowsIPv6 = false
        let requests: [[UInt8]] = [
            AutoNATv2Message.dialRequest(addresses: [], nonce: 1).encodedDelimited(),
            AutoNATv2Message.dialRequest(addresses: [[], [0xff, 0xff], [4, 1]], nonce: 1).encodedDelimited(),
            try request(["/ip6/2600::1/tcp/1"]),
        ]
        for request in requests {
            var server = try server(ip4Only)
            guard case .respond(let bytes) = try receive(request, &server) else {
                Issue.record("something would be dialled")
                return
            }
            #expect(try response(bytes)?.status == AutoNATv2Status.dialRefused.rawValue)
        }
    }

    @Test("A client's messages out of turn are errors; a rejection is one message")
    func violations() throws {
        for message: AutoNATv2Message in [
            .dialData([UInt8](repeating: 0, count: 200)), .dialResponse(AutoNATv2Response(status: 200)),
            .dialDataRequest(index: 0, count: 1),
        ] {
            var server = try server()
            #expect(throws: AutoNATError.unexpectedMessage) { try receive(message.encodedDelimited(), &server) }
        }
        var server = try server()
        _ = try receive(try request(["/ip4/1.2.3.4/tcp/9"]), &server)
        #expect(throws: AutoNATError.unexpectedMessage, "a second request") {
            try receive(try request(["/ip4/1.2.3.4/tcp/9"]), &server)
        }
        #expect(try response(server.reject())?.status == AutoNATv2Status.requestRejected.rawValue)
    }

    @Test("A client and a server talk to each other, paying and not", arguments: [nil, "/ip4/1.2.3.4/tcp/40000"])
    func bothSides(observed: String?) throws {
        let wanted = try address("/ip4/1.2.3.4/tcp/9")
        var client = AutoNATv2Client(addresses: [wanted], nonce: 3)
        var server = try server(observed: observed, dialData: 65_000)
        var step = try receive(client.start(), &server)
        if case .demand(let bytes) = step {
            var input = bytes[...]
            guard case .send(let data) = try client.receive(&input) else {
                Issue.record("not paid")
                return
            }
            step = try receive(data.flatMap(\.self), &server)
        }
        #expect(step == .dial(wanted, nonce: 3))
        #expect(client.receiveDialBack(nonce: 3, at: try address("/ip4/10.0.0.2/tcp/9")) != nil)
        var input = server.dialled(.ok)[...]
        #expect(try client.receive(&input) == .done(.reachable(wanted, isProved: true)))
    }
}
