import OxbowCrypto

extension FuzzKeys {
    /// One key of each kind but RSA, whose private half would fill a page: those of the peer-ids specification.
    static let samples: [PrivateKey] = [
        first,
        read("0802122053dadf1d5a164d6b4acdb15e24aa4c5b1d3461bdbd42abedb0a4404d56ced8fb"),
        read(
            "08031279307702010104203e5b1fe9712e6c314942a750bd67485de3c1efe85b1bfb520ae8f9ae3dfa4a4ca00a06082a"
                + "8648ce3d030107a14403420004de3d300fa36ae0e8f5d530899d83abab44abf3161f162a4bc901d8e6ecda020e8b6d5f"
                + "8da30525e71d6851510c098e5c47c646a597fb4dcec034e9f77c409e62"),
    ]

    /// RSA public keys in DER whose numbers belong to nobody: of 2,048 bits, which is taken, and of 16,384, which must be
    /// refused before anything is computed (CVE-2023-39533).
    static let smallRSA = rsa(modulusLength: 256)
    static let hugeRSA = rsa(modulusLength: 2_048)

    private static func rsa(modulusLength: Int) -> [UInt8] {
        func element(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
            let count = content.count
            let length = count < 0x80 ? [UInt8(count)] : [0x82, UInt8(count >> 8), UInt8(count & 0xff)]
            return [tag] + length + content
        }
        let modulus = element(0x02, [0] + [UInt8](repeating: 0xff, count: modulusLength))
        let numbers = element(0x30, modulus + element(0x02, [1, 0, 1]))
        let algorithm = element(0x30, [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0])
        return element(0x30, algorithm + element(0x03, [0] + numbers))
    }

    private static func read(_ text: String) -> PrivateKey {
        let digits = text.compactMap { $0.hexDigitValue }
        let bytes = stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
        do { return try PrivateKey(protobuf: bytes) } catch { preconditionFailure("a fixed key is wrong: \(error)") }
    }
}
