import OxbowCore
import OxbowSeeds

extension SplitMix64 {
    mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: 0...255, using: &self) }
    }

    /// Text made of `alphabet`, so that random input gets past the first check now and then.
    mutating func text(_ count: Int, of alphabet: String) -> String {
        let characters = Array(alphabet)
        return String((0..<count).map { _ in characters[Int.random(in: 0..<characters.count, using: &self)] })
    }
}

/// Bytes written as hexadecimal digits; a test that gets them wrong traps.
func hex(_ digits: String) -> [UInt8] {
    let characters = Array(digits)
    precondition(characters.count % 2 == 0)
    return stride(from: 0, to: characters.count, by: 2).map { index in
        guard let byte = UInt8(String(characters[index...index + 1]), radix: 16) else {
            preconditionFailure("not hexadecimal: \(digits)")
        }
        return byte
    }
}

/// An identity peer id whose key message is `byte` four times.
func samplePeer(_ byte: UInt8) -> PeerID {
    PeerID(publicKeyMessage: [UInt8](repeating: byte, count: 4)) { _ in preconditionFailure("too short to be hashed") }
}
