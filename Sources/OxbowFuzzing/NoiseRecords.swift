import OxbowSecurity

extension FuzzTarget {
    /// One direction of a Noise connection in the hands of somebody in the middle. A record opens when it is the next one,
    /// untouched; any other fails, and changes nothing (RUSTSEC-2024-0011).
    static func noiseRecords(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        var line = try NoiseLine(startsLate: input.int(below: 8) == 7)
        while !input.isEmpty {
            switch input.int(below: 8) {
            case 0, 1: try line.seal(input.int(below: 200), input.byte())
            case 2, 3: try line.deliver(at: 0)
            case 4: try line.deliver(at: input.int(below: 8))
            case 5: try line.deliverAgain(input.int(below: 64))
            case 6: line.drop(at: input.int(below: 8))
            default: try line.alter(at: input.int(below: 8), place: input.int(below: 300), mask: input.byte())
            }
        }
        return line.opened > 0 ? .accepted : .refused
    }
}

private struct NoiseLine: ~Copyable {
    struct Record {
        /// Its place in the order of sealing.
        let number: Int
        var body: [UInt8]
        let plaintext: [UInt8]
        var isGenuine = true
    }

    private var sender: NoiseTransport
    private var receiver: NoiseTransport
    /// On their way, and arrived before.
    private var flying: [Record] = []
    private var past: [Record] = []
    private var sealed = 0
    private(set) var opened = 0
    /// How many records a nonce is left for, when few are.
    private let room: Int

    /// - Parameter startsLate: whether the nonces are about to run out.
    init(startsLate: Bool) throws(FuzzFailure) {
        let (here, there) = ([UInt8](repeating: 0x61, count: 32), [UInt8](repeating: 0x62, count: 32))
        let nonce: UInt64 = startsLate ? .max - 3 : 0
        room = startsLate ? 3 : .max
        // Both are there before the first is kept: what can't be copied can't be kept by half.
        let outward = try Self.transport(here, there, nonce)
        let inward = try Self.transport(there, here, nonce)
        sender = outward
        receiver = inward
    }

    private static func transport(
        _ sending: [UInt8], _ receiving: [UInt8], _ nonce: UInt64
    ) throws(FuzzFailure) -> NoiseTransport {
        do {
            return try NoiseTransport(sendingKey: sending, receivingKey: receiving, firstNonce: nonce)
        } catch { throw FuzzFailure("keys of 32 bytes make a transport: \(error)") }
    }

    mutating func seal(_ count: Int, _ filling: UInt8) throws(FuzzFailure) {
        let plaintext = [UInt8](repeating: filling, count: count)
        var record = [UInt8](repeating: 0, count: count + NoiseTransport.overhead)
        let error: SecurityError? = plaintext.withUnsafeBytes { plaintext in
            record.withUnsafeMutableBytes { record in
                do throws(SecurityError) { try sender.seal(plaintext, into: record) } catch { return error }
                return nil
            }
        }
        guard sealed < room else {
            return try requireEqual(error, .noncesExhausted, "nothing is sealed when the nonces are used up")
        }
        try requireEqual(error, nil, "a record is sealed")
        try requireEqual(Int(record[0]) << 8 | Int(record[1]), record.count - 2, "the length stands in front")
        flying.append(Record(number: sealed, body: Array(record.dropFirst(2)), plaintext: plaintext))
        sealed += 1
    }

    mutating func deliver(at index: Int) throws(FuzzFailure) {
        guard flying.indices.contains(index) else { return }
        try open(flying.remove(at: index))
    }

    mutating func deliverAgain(_ index: Int) throws(FuzzFailure) {
        guard past.indices.contains(index) else { return }
        try open(past[index])
    }

    mutating func drop(at index: Int) {
        if flying.indices.contains(index) { past.append(flying.remove(at: index)) }
    }

    /// Somebody in the middle sends its own: a copy with a byte changed, or cut short. The genuine one is still there.
    mutating func alter(at index: Int, place: Int, mask: UInt8) throws(FuzzFailure) {
        guard flying.indices.contains(index) else { return }
        var forged = flying[index]
        forged.isGenuine = false
        if place < forged.body.count {
            forged.body[place] ^= max(1, mask)
        } else {
            forged.body.removeLast(1 + Int(mask) % forged.body.count)
        }
        try open(forged)
    }

    private mutating func open(_ record: Record) throws(FuzzFailure) {
        var body = record.body
        let result: Result<Int, SecurityError> = body.withUnsafeMutableBytes { body in
            do throws(SecurityError) { return .success(try receiver.open(body)) } catch { return .failure(error) }
        }
        guard record.isGenuine, record.number == opened else {
            if case .success = result { throw FuzzFailure("record \(record.number) opens as number \(opened)") }
            if record.isGenuine { past.append(record) }
            return
        }
        guard case .success(let count) = result else { throw FuzzFailure("record \(opened) is next, and \(result)") }
        try requireEqual(Array(body.prefix(count)), record.plaintext, "a record opens to what was sealed")
        opened += 1
        past.append(record)
    }
}
