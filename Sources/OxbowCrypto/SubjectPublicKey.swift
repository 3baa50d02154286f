/// A curve that a key may be on, and how its SubjectPublicKeyInfo starts (RFC 5480): for a named curve and an
/// uncompressed point everything but the point is fixed, so there is nothing to parse.
struct NamedCurve {
    /// libcrypto's name for it.
    let name: String
    /// The length of a scalar and of a coordinate in bytes.
    let size: Int
    /// What stands before the uncompressed point.
    let header: [UInt8]

    var pointSize: Int { 1 + 2 * size }

    static let ecdsa = [
        NamedCurve(
            name: "prime256v1", size: 32,
            header: [
                0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
                0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
            ]),
        NamedCurve(
            name: "secp384r1", size: 48,
            header: [
                0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81,
                0x04, 0x00, 0x22, 0x03, 0x62, 0x00,
            ]),
        NamedCurve(
            name: "secp521r1", size: 66,
            header: [
                0x30, 0x81, 0x9b, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b,
                0x81, 0x04, 0x00, 0x23, 0x03, 0x81, 0x86, 0x00,
            ]),
    ]
    /// Its points stand alone, without a header.
    static let secp256k1 = NamedCurve(name: "secp256k1", size: 32, header: [])

    /// The point of an ECDSA key in a SubjectPublicKeyInfo, with its curve.
    static func point(in info: [UInt8]) -> (curve: NamedCurve, point: ArraySlice<UInt8>)? {
        for curve in ecdsa where info.starts(with: curve.header) {
            let point = info.dropFirst(curve.header.count)
            guard point.count == curve.pointSize, point.first == 0x04 else { return nil }
            return (curve, point)
        }
        return nil
    }
}

/// The numbers of an RSA public key, big-endian.
struct RSANumbers {
    let modulus: ArraySlice<UInt8>
    let exponent: ArraySlice<UInt8>

    /// AlgorithmIdentifier { rsaEncryption, NULL } (RFC 3279).
    private static let algorithm: [UInt8] = [
        0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
    ]

    /// Reads a SubjectPublicKeyInfo and judges the numbers' sizes, without any arithmetic on them.
    init(subjectPublicKeyInfo bytes: [UInt8]) throws(KeyError) {
        var outer = DERReader(bytes[...])
        guard let body = outer.read(.sequence), outer.rest.isEmpty else { throw .malformed(.rsa) }
        var info = DERReader(body)
        guard let algorithm = info.read(.sequence), algorithm.elementsEqual(Self.algorithm),
            let key = info.read(.bitString), key.first == 0, info.rest.isEmpty
        else { throw .malformed(.rsa) }
        var wrapper = DERReader(key.dropFirst())
        guard let pair = wrapper.read(.sequence), wrapper.rest.isEmpty else { throw .malformed(.rsa) }
        var numbers = DERReader(pair)
        guard let modulus = numbers.readPositiveInteger(), let exponent = numbers.readPositiveInteger(),
            numbers.rest.isEmpty
        else { throw .malformed(.rsa) }

        let bits = Self.bits(modulus)
        guard KeyType.rsaBits.contains(bits) else { throw .rsaSize(bits: bits) }
        guard modulus.last.map({ $0 & 1 }) == 1 else { throw .malformed(.rsa) }
        guard (2...31).contains(Self.bits(exponent)), exponent.last.map({ $0 & 1 }) == 1 else { throw .rsaExponent }
        self.modulus = modulus
        self.exponent = exponent
    }

    private static func bits(_ magnitude: ArraySlice<UInt8>) -> Int {
        magnitude.count * 8 - (magnitude.first?.leadingZeroBitCount ?? 0)
    }
}
