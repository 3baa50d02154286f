import OxbowCrypto
import Testing

@testable import OxbowSecurity

/// The published vectors of Noise_XX_25519_ChaChaPoly_SHA256 with an empty prologue.
@Suite("Noise XX follows its specification")
struct NoiseXXTests {
    struct Vector: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var payloads: [String]
        var messages: [String]
    }

    static let vectors = [
        Vector(
            testDescription: "empty payloads", payloads: ["", "", ""],
            messages: [
                "358072d6365880d1aeea329adf9121383851ed21a28e3b75e965d0d2cd166254",
                """
                64b101b1d0be5a8704bd078f9895001fc03e8e9f9522f188dd128d9846d484663414af878d3e46a2f58911a816d6e8346d4ea17a
                6f2a0bb4ef4ed56c133cff4560a34e36ea82109f26cf2e5a5caf992b608d55c747f615e5a3425a7a19eefb8f
                """,
                """
                87f864c11ba449f46a0a4f4e2eacbb7b0457784f4fca1937f572c93603e9c4d97e5ea11b16f3968710b23a3be3202dc1b5e1ce3c
                963347491e74f5c0768a9b42
                """,
            ]),
        Vector(
            testDescription: "payloads in every message",
            payloads: ["746573745f6d73675f30", "746573745f6d73675f31", "746573745f6d73675f32"],
            messages: [
                "358072d6365880d1aeea329adf9121383851ed21a28e3b75e965d0d2cd166254746573745f6d73675f30",
                """
                64b101b1d0be5a8704bd078f9895001fc03e8e9f9522f188dd128d9846d484663414af878d3e46a2f58911a816d6e8346d4ea17a
                6f2a0bb4ef4ed56c133cff4572e7a2ba5123ac30618b3d205f5c2d17f50cbca216483ac56bcc78e33bf520303278db641e5e731b
                2e3a
                """,
                """
                87f864c11ba449f46a0a4f4e2eacbb7b0457784f4fca1937f572c93603e9c4d9f27e318e43ba630594c4d08eeb3b36d97c7377a2
                f4f9144b2f0c8095ad92140505b2ab53eff244b14138
                """,
            ]),
    ]
    /// What the initiator and then the responder send after either handshake.
    static let transportMessages = [
        ("79656c6c6f777375626d6172696e65", "a52ef02ba60e12696d1d6b9ef4245c88fca757b6134ad6e76b56e310a6adf6"),
        ("7375626d6172696e6579656c6c6f77", "2445aa438ebd649281c636cc7269ca82f1d9023d72520943aeabf909cdf521"),
    ]

    static func initiator() throws -> NoiseXX {
        try NoiseXX(
            role: .initiator, staticKey: X25519PrivateKey(raw: Array(0x00...0x1f)),
            ephemeralKey: X25519PrivateKey(raw: Array(0x20...0x3f)))
    }

    static func responder() throws -> NoiseXX {
        try NoiseXX(
            role: .responder, staticKey: X25519PrivateKey(raw: Array(0x01...0x20)),
            ephemeralKey: X25519PrivateKey(raw: Array(0x41...0x60)))
    }

    @Test("reproduces every message", arguments: vectors)
    func vector(_ vector: Vector) throws {
        var initiator = try Self.initiator()
        var responder = try Self.responder()
        for (index, message) in vector.messages.enumerated() {
            let payload = bytes(hex: vector.payloads[index])
            let written: [UInt8]
            let read: [UInt8]
            if index == 1 {
                written = try responder.write(payload: payload)
                read = try initiator.read(written[...])
            } else {
                written = try initiator.write(payload: payload)
                read = try responder.read(written[...])
            }
            #expect(written == bytes(hex: message), "message \(index)")
            #expect(read == payload, "message \(index)")
        }
        #expect(try initiator.remoteStatic == X25519PrivateKey(raw: Array(0x01...0x20)).publicKey)
        #expect(try responder.remoteStatic == X25519PrivateKey(raw: Array(0x00...0x1f)).publicKey)
        var first = try initiator.split()
        var second = try responder.split()
        #expect(
            try first.sealed(bytes(hex: Self.transportMessages[0].0)).dropFirst(2)
                == bytes(hex: Self.transportMessages[0].1)[...])
        #expect(
            try second.sealed(bytes(hex: Self.transportMessages[1].0)).dropFirst(2)
                == bytes(hex: Self.transportMessages[1].1)[...])
    }

    @Test("writes the first message of libp2p, which has no payload")
    func first() throws {
        var initiator = try Self.initiator()
        let message = initiator.writeFirst()
        #expect(message == bytes(hex: Self.vectors[0].messages[0]))
        var responder = try Self.responder()
        #expect(try responder.read(message[...]).isEmpty)
        #expect(try initiator.read(responder.write(payload: [])[...]).isEmpty)
    }

    @Test("refuses an ephemeral key of low order", arguments: [0, 1] as [UInt8])
    func lowOrder(first: UInt8) throws {
        let weak = [first] + [UInt8](repeating: 0, count: 31)
        var responder = try Self.responder()
        _ = try responder.read(weak[...])
        #expect(throws: SecurityError.weakKey) { _ = try responder.write(payload: []) }
        var initiator = try Self.initiator()
        _ = initiator.writeFirst()
        let message = weak + [UInt8](repeating: 0, count: 64)
        #expect(throws: SecurityError.weakKey) { _ = try initiator.read(message[...]) }
    }

    @Test("refuses a message that ends in a key", arguments: [0, 1, 31])
    func truncated(count: Int) throws {
        var responder = try Self.responder()
        #expect(throws: SecurityError.self) { _ = try responder.read(ArraySlice(repeating: 7, count: count)) }
    }
}
