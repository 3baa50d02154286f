import OxbowCore
import OxbowProtocols
import Testing

@Suite struct PerfTests {
    @Test func theHeaderIsBigEndian() {
        #expect(PerfClient(upload: 0, download: 0x0102_0304_0506_0708).start() == [1, 2, 3, 4, 5, 6, 7, 8])
        #expect(PerfClient(upload: 0, download: .max).start() == Array(repeating: 0xff, count: 8))
    }

    @Test(arguments: [(0, 0), (0, 1000), (1000, 0), (777, 12_345)] as [(UInt64, UInt64)])
    func aRunIsCountedOnBothSides(upload: UInt64, download: UInt64) throws {
        var client = PerfClient(upload: upload, download: download)
        var server = PerfServer(maximumDownload: download, maximumUpload: upload)
        for byte in client.start() { try server.receive([byte]) }
        while case .send(let count) = client.next(room: 100) {
            #expect(server.next(room: 100) == .wait)
            try server.receive(Array(repeating: 0, count: count))
        }
        #expect(client.next(room: 100) == .wait)
        try server.receiveEnd()
        #expect(server.uploaded == upload)
        #expect(server.next(room: 0) == (download == 0 ? .finish : .wait))
        while case .send(let count) = server.next(room: 64) { try client.receive(count: count) }
        #expect(server.next(room: 64) == .wait)
        #expect(client.downloaded == download)
        try client.receiveEnd()
    }

    @Test func headerAndUploadMayComeTogetherAndCutAnywhere() throws {
        try everySplit([0, 0, 0, 0, 0, 0, 1, 0, 9, 9, 9]) { pieces in
            var server = PerfServer()
            for piece in pieces { try server.receive(piece) }
            try server.receiveEnd()
            #expect(server.uploaded == 3)
            #expect(server.next(room: 1 << 20) == .send(256))
            #expect(server.next(room: 1 << 20) == .finish)
        }
    }

    @Test func theLargestRequestNeitherTrapsNorEnds() throws {
        var server = PerfServer()
        try server.receive(Array(repeating: 0xff, count: 8))
        try server.receiveEnd()
        #expect(server.next(room: .max) == .send(.max))
        #expect(server.next(room: 1) == .send(1))
        #expect(server.next(room: -5) == .wait)
    }

    @Test func boundsOfTheServer() throws {
        var server = PerfServer(maximumDownload: 255, maximumUpload: 2)
        #expect(throws: PerfError.downloadTooLarge(requested: 256, limit: 255)) {
            try server.receive([0, 0, 0, 0, 0, 0, 1, 0])
        }
        server = PerfServer(maximumDownload: 255, maximumUpload: 2)
        try server.receive([0, 0, 0, 0, 0, 0, 0, 255, 1, 1])
        #expect(throws: PerfError.uploadTooLarge(limit: 2)) { try server.receive([1]) }
        server = PerfServer()
        try server.receive([0, 0, 0, 0, 0, 0, 0])
        #expect(throws: PerfError.truncatedHeader) { try server.receiveEnd() }
    }

    @Test func theClientChecksTheServer() throws {
        var client = PerfClient(upload: 1, download: 10)
        try client.receive(count: 0)
        #expect(throws: PerfError.answeredEarly) { try client.receive(count: 1) }
        #expect(throws: PerfError.answeredEarly) { try client.receiveEnd() }
        #expect(client.next(room: 5) == .send(1))
        #expect(client.next(room: 5) == .finish)
        try client.receive(count: 9)
        #expect(throws: PerfError.downloadTooShort(received: 9, expected: 10)) { try client.receiveEnd() }
        #expect(throws: PerfError.downloadTooLong(expected: 10)) { try client.receive(count: 2) }
        #expect(throws: PerfError.downloadTooLong(expected: 10)) { try client.receive(count: .max) }
    }

    @Test func errorsSayWhatHappened() {
        let errors: [PerfError] = [
            .truncatedHeader, .downloadTooLarge(requested: 2, limit: 1), .uploadTooLarge(limit: 1), .answeredEarly,
            .downloadTooLong(expected: 1), .downloadTooShort(received: 0, expected: 1),
        ]
        #expect(Set(errors.map(\.description)).count == errors.count)
    }
}
