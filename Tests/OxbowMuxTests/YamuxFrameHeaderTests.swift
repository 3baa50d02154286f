import OxbowMux
import Testing

@Suite struct YamuxFrameHeaderTests {
    struct Vector: Sendable {
        var bytes: [UInt8]
        var header: YamuxFrameHeader
    }

    static let vectors = [
        Vector(
            bytes: [0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0],
            header: YamuxFrameHeader(type: .data, flags: .syn, streamID: YamuxStreamID(rawValue: 1), length: 0)),
        Vector(
            bytes: [0, 1, 0, 2, 0, 0, 1, 2, 0, 4, 0, 0],
            header: YamuxFrameHeader(
                type: .windowUpdate, flags: .ack, streamID: YamuxStreamID(rawValue: 258), length: 262_144)),
        Vector(
            bytes: [0, 2, 0, 1, 0, 0, 0, 0, 0xde, 0xad, 0xbe, 0xef],
            header: YamuxFrameHeader(type: .ping, flags: .syn, streamID: .session, length: 0xdead_beef)),
        Vector(
            bytes: [0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
            header: YamuxFrameHeader(type: .goAway, streamID: .session, length: YamuxGoAwayCode.protocolError)),
        Vector(
            bytes: [0, 1, 0, 8, 0xff, 0xff, 0xff, 0xff, 0, 0, 0x10, 2],
            header: YamuxFrameHeader(
                type: .windowUpdate, flags: .rst, streamID: YamuxStreamID(rawValue: .max),
                length: YamuxResetCode.resourceLimitExceeded)),
        Vector(
            bytes: [7, 9, 0x80, 0x0c, 0, 0, 0, 3, 0, 0, 0, 5],
            header: YamuxFrameHeader(
                version: 7, type: YamuxFrameType(rawValue: 9), flags: [.fin, .rst, YamuxFlags(rawValue: 0x8000)],
                streamID: YamuxStreamID(rawValue: 3), length: 5)),
    ]

    @Test(arguments: vectors.indices) func bytesAndHeaderAreEachOther(_ index: Int) {
        let vector = Self.vectors[index]
        #expect(YamuxFrameHeader(vector.bytes.span.bytes) == vector.header)
        var encoded: [UInt8] = [0xaa]
        vector.header.encode(into: &encoded)
        #expect(encoded == [0xaa] + vector.bytes)
        #expect(
            YamuxFrameHeader(
                firstWord: vector.header.firstWord, secondWord: vector.header.streamID.rawValue,
                thirdWord: vector.header.length) == vector.header)
    }

    @Test func elevenBytesAreNoHeader() {
        for count in 0..<YamuxFrameHeader.size {
            #expect(YamuxFrameHeader([UInt8](repeating: 0, count: count).span.bytes) == nil)
        }
        let longer = Self.vectors[1].bytes + [1, 2, 3]
        #expect(YamuxFrameHeader(longer.span.bytes) == Self.vectors[1].header)
    }

    @Test func idsCompareAndPrintAsNumbers() {
        #expect(YamuxStreamID(rawValue: 3) < YamuxStreamID(rawValue: 5))
        #expect("\(YamuxStreamID(rawValue: 7))" == "7")
    }
}
