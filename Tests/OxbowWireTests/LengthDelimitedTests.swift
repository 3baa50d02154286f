import OxbowCore
import OxbowWire
import Testing

@Suite struct LengthDelimitedTests {
    @Test(arguments: [0, 1, 127, 128, 16_383, 16_384, 65_536]) func framesSurvive(count: Int) throws {
        let body = [UInt8](repeating: 0x5a, count: count)
        let frame = LengthDelimited.encode(body)
        var input = frame[...] + frame + [1, 2]
        #expect(try LengthDelimited.decode(from: &input, limit: count) == body[...])
        #expect(try LengthDelimited.decode(from: &input, limit: count) == body[...])
        #expect(input.count == 2, "the next two bytes promise a body that hasn't come")
        #expect(try LengthDelimited.decode(from: &input, limit: 1) == [2])
    }

    @Test func incompleteFramesAreLeftAlone() throws {
        let frame = LengthDelimited.encode([UInt8](repeating: 7, count: 200))
        for length in 0..<frame.count {
            var input = frame.prefix(length)
            #expect(try LengthDelimited.decode(from: &input, limit: 200) == nil)
            #expect(input == frame.prefix(length))
        }
    }

    @Test func aPromiseOverTheLimitThrowsAtOnce() {
        var input: ArraySlice<UInt8> = [0xc9, 0x01]
        #expect(throws: WireError.tooLarge(message: "length-delimited", size: 201, limit: 200)) {
            try LengthDelimited.decode(from: &input, limit: 200)
        }
        input = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]
        #expect(throws: WireError.tooLarge(message: "length-delimited", size: UInt64(Int64.max), limit: 200)) {
            try LengthDelimited.decode(from: &input, limit: 200)
        }
        #expect(input.count == 9)
    }

    @Test func otherFormsOfThePrefixAreRefused() {
        for prefix: [UInt8] in [[0x80, 0x00], [0x81, 0x80, 0x00]] {
            var input = prefix[...]
            #expect(throws: WireError.badLengthPrefix(.notMinimal)) {
                try LengthDelimited.decode(from: &input, limit: 200)
            }
        }
        var input = [UInt8](repeating: 0x80, count: 9)[...]
        #expect(throws: WireError.badLengthPrefix(.tooLong)) { try LengthDelimited.decode(from: &input, limit: 200) }
    }
}
