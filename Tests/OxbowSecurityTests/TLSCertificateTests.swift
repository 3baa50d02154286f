import OxbowCore
import OxbowCrypto
import Testing

@testable import OxbowSecurity

/// The test vectors of the libp2p TLS specification, and a certificate that breaks each of its rules.
@Suite("A certificate")
struct TLSCertificateTests {
    static let ed25519 = """
        308201ae30820156a0030201020204499602d2300a06082a8648ce3d040302302031123010060355040a13096c69627032702e696f310a30
        0806035504051301313020170d3735303130313133303030305a180f34303936303130313133303030305a302031123010060355040a1309
        6c69627032702e696f310a300806035504051301313059301306072a8648ce3d020106082a8648ce3d030107034200040c901d423c831ca8
        5e27c73c263ba132721bb9d7a84c4f0380b2a6756fd601331c8870234dec878504c174144fa4b14b66a651691606d8173e55bd37e381569e
        a37c307a3078060a2b0601040183a25a0101046a3068042408011220a77f1d92fedb59dddaea5a1c4abd1ac2fbde7d7b879ed36450180992
        3d7c11b90440d90d2769db992d5e6195dbb08e706b6651e024fda6cfb8846694a435519941cac215a8207792e42849cccc6cd8136c6e4bde
        92a58c5e08cfd4206eb5fe0bf909300a06082a8648ce3d0403020346003043021f50f6b6c52711a881778718238f650c9fb48943ae6ee6d2
        8427dc6071ae55e702203625f116a7a454db9c56986c82a25682f7248ea1cb764d322ea983ed36a31b77
        """
    static let ecdsa = """
        308201f63082019da0030201020204499602d2300a06082a8648ce3d040302302031123010060355040a13096c69627032702e696f310a30
        0806035504051301313020170d3735303130313133303030305a180f34303936303130313133303030305a302031123010060355040a1309
        6c69627032702e696f310a300806035504051301313059301306072a8648ce3d020106082a8648ce3d030107034200040c901d423c831ca8
        5e27c73c263ba132721bb9d7a84c4f0380b2a6756fd601331c8870234dec878504c174144fa4b14b66a651691606d8173e55bd37e381569e
        a381c23081bf3081bc060a2b0601040183a25a01010481ad3081aa045f0803125b3059301306072a8648ce3d020106082a8648ce3d030107
        03420004bf30511f909414ebdd3242178fd290f093a551cf75c973155de0bb5a96fedf6cb5d52da7563e794b512f66e60c7f55ba8a3acf3d
        d72a801980d205e8a1ad29f2044730450220064ea8124774caf8f50e57f436aa62350ce652418c019df5d98a3ac666c9386a022100aa59d7
        04a931b5f72fb9222cb6cc51f954d04a4e2e5450f8805fe8918f71eaae300a06082a8648ce3d04030203470030440220799395b0b6c1e940
        a7e4484705f610ab51ed376f19ff9d7c16757cfbf61b8d4302206205c03fbb0f95205c779be86581d3e31c01871ad5d1f3435bcf375cb0e5
        088a
        """
    static let secp256k1 = """
        308201ba3082015fa0030201020204499602d2300a06082a8648ce3d040302302031123010060355040a13096c69627032702e696f310a30
        0806035504051301313020170d3735303130313133303030305a180f34303936303130313133303030305a302031123010060355040a1309
        6c69627032702e696f310a300806035504051301313059301306072a8648ce3d020106082a8648ce3d030107034200040c901d423c831ca8
        5e27c73c263ba132721bb9d7a84c4f0380b2a6756fd601331c8870234dec878504c174144fa4b14b66a651691606d8173e55bd37e381569e
        a38184308181307f060a2b0601040183a25a01010471306f0425080212210206dc6968726765b820f050263ececf7f71e4955892776c0970
        542efd689d2382044630440220145e15a991961f0d08cd15425bb95ec93f6ffa03c5a385eedc34ecf464c7a8ab022026b3109b8a3f40ef83
        3169777eb2aa337cfb6282f188de0666d1bcec2a4690dd300a06082a8648ce3d0403020349003046022100e1a217eeef9ec9204b3f774a08
        b70849646b6a1e6b8b27f93dc00ed58545d9fe022100b00dafa549d0f03547878338c7b15e7502888f6d45db387e5ae6b5d46899cef0
        """
    /// The identity key in it didn't sign it.
    static let mismatched = """
        308201f73082019da0030201020204499602d2300a06082a8648ce3d040302302031123010060355040a13096c69627032702e696f310a30
        0806035504051301313020170d3735303130313133303030305a180f34303936303130313133303030305a302031123010060355040a1309
        6c69627032702e696f310a300806035504051301313059301306072a8648ce3d020106082a8648ce3d030107034200040c901d423c831ca8
        5e27c73c263ba132721bb9d7a84c4f0380b2a6756fd601331c8870234dec878504c174144fa4b14b66a651691606d8173e55bd37e381569e
        a381c23081bf3081bc060a2b0601040183a25a01010481ad3081aa045f0803125b3059301306072a8648ce3d020106082a8648ce3d030107
        03420004bf30511f909414ebdd3242178fd290f093a551cf75c973155de0bb5a96fedf6cb5d52da7563e794b512f66e60c7f55ba8a3acf3d
        d72a801980d205e8a1ad29f204473045022100bb6e03577b7cc7a3cd1558df0da2b117dfdcc0399bc2504ebe7de6f65cade72802206de96e
        2a5be9b6202adba24ee0362e490641ac45c240db71fe955f2c5cf8df6e300a06082a8648ce3d0403020348003045022100e847f267f43717
        358f850355bdcabbefb2cfbf8a3c043b203a14788a092fe8db022027c1d04a2d41fd6b57a7e8b3989e470325de4406e52e084e34a3fd56ee
        f0d0df
        """

    static func check(_ der: [UInt8], at unixTime: Int64 = Identity.now) throws -> PublicKey {
        try TLSCertificateCheck.identity(in: TLSCertificate(der: der), at: unixTime)
    }

    struct Vector: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var certificate: String
        var peer: String
    }

    static let vectors = [
        Vector(
            testDescription: "Ed25519", certificate: ed25519,
            peer: "12D3KooWM6CgA9iBFZmcYAHA6A2qvbAxqfkmrYiRQuz3XEsk4Ksv"),
        Vector(
            testDescription: "ECDSA", certificate: ecdsa, peer: "QmfXbAwNjJLXfesgztEHe8HwgVDCMMpZ9Eax1HYq6hn9uE"),
        Vector(
            testDescription: "secp256k1", certificate: secp256k1,
            peer: "16Uiu2HAkutTMoTzDw1tCvSRtu6YoixJwS46S1ZFxW8hSx9fWHiPs"),
    ]

    @Test("of the specification proves its peer id", arguments: vectors)
    func vector(_ vector: Vector) throws {
        #expect(try Self.check(bytes(hex: vector.certificate)).peerID == PeerID(vector.peer))
    }

    @Test("of the specification that another key signed is refused")
    func invalidVector() {
        #expect(throws: CertificateError.badSignature) { _ = try Self.check(bytes(hex: Self.mismatched)) }
    }

    @Test("survives no changed byte", arguments: vectors)
    func flipped(_ vector: Vector) throws {
        let der = bytes(hex: vector.certificate)
        for index in der.indices {
            for mask in [0x01, 0x80] as [UInt8] {
                var changed = der
                changed[index] ^= mask
                #expect(throws: CertificateError.self, "byte \(index) ^ \(mask)") { _ = try Self.check(changed) }
            }
        }
    }

    @Test("that is cut or has more behind it is unreadable")
    func truncated() {
        let der = bytes(hex: Self.ed25519)
        for count in 0..<der.count {
            #expect(throws: CertificateError.unreadable) { _ = try Self.check(Array(der.prefix(count))) }
        }
        #expect(throws: CertificateError.unreadable) { _ = try Self.check(der + [0]) }
    }

    @Test("is judged by the time that is given")
    func validity() throws {
        let der = bytes(hex: Self.ed25519)
        let (notBefore, notAfter): (Int64, Int64) = (157_813_200, 67_090_165_200)
        #expect(throws: CertificateError.notYetValid) { _ = try Self.check(der, at: notBefore - 1) }
        #expect(throws: CertificateError.notYetValid) { _ = try Self.check(der, at: -1) }
        _ = try Self.check(der, at: notBefore)
        _ = try Self.check(der, at: notAfter - 1)
        #expect(throws: CertificateError.expired) { _ = try Self.check(der, at: notAfter + 1) }
        // Beyond the year 9999 libcrypto can't compare.
        #expect(throws: CertificateError.self) { _ = try Self.check(der, at: .max) }
        #expect(throws: CertificateError.self) { _ = try Self.check(der, at: .min) }
    }

    @Test("of ours is accepted by ourselves, at any time", arguments: KeyType.allCases)
    func ours(type: KeyType) throws {
        let identity = try #require(Identity.ofEachType[type])
        let made = try ForgedCertificate.honest.der(of: identity)
        for time in [Identity.now, 946_684_800, 32_503_680_000] {
            #expect(try Self.check(made, at: time) == identity.key.publicKey)
        }
    }

    @Test("that breaks a rule is refused for it", arguments: ForgedCertificate.allCases)
    func forged(forgery: ForgedCertificate) throws {
        guard let error = forgery.error else {
            #expect(try Self.check(forgery.der(of: .alice)) == Identity.alice.key.publicKey)
            return
        }
        #expect(throws: error) { _ = try Self.check(forgery.der(of: .alice)) }
    }

    /// CVE-2023-39533. The signature is garbage: the size is refused before anything is computed.
    @Test(
        "with an RSA key of its own is refused by the key's size first",
        arguments: [
            (1_024, CertificateError.unsupportedKey), (2_040, .unsupportedKey), (2_048, .badSelfSignature),
            (8_192, .badSelfSignature), (8_200, .unsupportedKey), (65_536, .unsupportedKey),
        ])
    func rsaSize(bits: Int, error: CertificateError) {
        func element(_ tag: UInt8, _ parts: [UInt8]...) -> [UInt8] {
            let content = parts.flatMap(\.self)
            return [tag, 0x82, UInt8(content.count >> 8), UInt8(content.count & 0xff)] + content
        }
        func short(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] { [tag, UInt8(content.count)] + content }
        let rsa = bytes(hex: "300d06092a864886f70d0101010500")
        let rsaWithSHA256 = bytes(hex: "300d06092a864886f70d01010b0500")
        let modulus = [0, 0x80] + [UInt8](repeating: 0x55, count: bits / 8 - 1)
        let key = element(0x30, element(0x02, modulus), [2, 3, 1, 0, 1])
        let name: [UInt8] = [0x30, 0]
        let validity = short(0x17, Array("750101000000Z".utf8)) + short(0x18, Array("40960101000000Z".utf8))
        let identifier = bytes(hex: "060a2b0601040183a25a0101")
        let signedKey = short(0x04, SignedKey(publicKey: [], signature: []).der)
        let toBeSigned = element(
            0x30, bytes(hex: "a003020102"), [2, 1, 1], rsaWithSHA256, name, short(0x30, validity), name,
            element(0x30, rsa, element(0x03, [0], key)),
            element(0xa3, element(0x30, element(0x30, identifier, signedKey))))
        let signature = element(0x03, [0], [UInt8](repeating: 1, count: bits / 8))
        #expect(throws: error) { _ = try Self.check(element(0x30, toBeSigned, rsaWithSHA256, signature)) }
    }
}

/// The rules of the specification, each broken once, and what stays within them.
enum ForgedCertificate: CaseIterable, Sendable {
    case honest, criticalLibp2pExtension, unknownExtension, pythonsExtensions
    case expired, notYetValid, noExtension, repeatedExtension, malformedExtension, unknownCriticalExtension, keyUsage
    case uniqueIdentifier, badSelfSignature, badSignature, foreignKey, unsignedPrefix, badIdentityKey

    /// Why it must be refused, or nil when it must not.
    var error: CertificateError? {
        switch self {
        case .honest, .criticalLibp2pExtension, .unknownExtension, .pythonsExtensions: nil
        case .expired: .expired
        case .notYetValid: .notYetValid
        case .noExtension: .missingExtension
        case .repeatedExtension: .repeatedExtension
        case .malformedExtension: .malformedExtension
        case .unknownCriticalExtension: .unknownCriticalExtension("1.2.3.4")
        case .keyUsage: .keyUsage
        case .uniqueIdentifier: .uniqueIdentifier
        case .badSelfSignature: .badSelfSignature
        case .badSignature, .foreignKey, .unsignedPrefix: .badSignature
        case .badIdentityKey: .badIdentityKey(.notCanonical)
        }
    }

    func der(of identity: Identity) throws -> [UInt8] {
        try der(of: identity, TLSCertificateKey())
    }

    func der(of identity: Identity, _ key: borrowing TLSCertificateKey) throws -> [UInt8] {
        var template = try TLSCertificateTemplate(identity: identity.key, key: key)
        let spki = key.subjectPublicKeyInfo
        let (publicKey, signed) = (identity.key.publicKey.protobuf, LibP2PTLS.signaturePrefix + spki)
        func replace(_ publicKey: [UInt8], _ signature: [UInt8]) {
            template.extensions[0].value = SignedKey(publicKey: publicKey, signature: signature).der
        }
        switch self {
        case .honest, .uniqueIdentifier, .badSelfSignature: break
        case .criticalLibp2pExtension: template.extensions[0].isCritical = true
        case .unknownExtension: template.extensions.append(.init(identifier: "1.2.3.4", value: [5, 0]))
        case .pythonsExtensions:
            // Basic constraints: no authority. Key usage: signatures only.
            template.extensions += [
                .init(identifier: "2.5.29.19", isCritical: true, value: [0x30, 0]),
                .init(identifier: "2.5.29.15", isCritical: true, value: [3, 2, 7, 0x80]),
            ]
        case .expired: template.notAfter = "20261120000000Z"
        case .notYetValid: template.notBefore = "20261122000000Z"
        case .noExtension: template.extensions = []
        case .repeatedExtension: template.extensions.append(template.extensions[0])
        case .malformedExtension: template.extensions[0].value.append(0)
        case .unknownCriticalExtension:
            template.extensions.append(.init(identifier: "1.2.3.4", isCritical: true, value: [5, 0]))
        case .keyUsage:
            // Key usage: may sign certificates, nothing else.
            template.extensions.append(.init(identifier: "2.5.29.15", isCritical: true, value: [3, 2, 2, 4]))
        case .badSignature:
            var signature = try identity.key.sign(signed)
            signature[signature.count - 1] ^= 1
            replace(publicKey, signature)
        case .foreignKey: replace(publicKey, try Identity.bob.key.sign(signed))
        case .unsignedPrefix: replace(publicKey, try identity.key.sign(spki))
        case .badIdentityKey: replace(publicKey + [0x18, 0], try identity.key.sign(signed))
        }
        let der = try template.signed(with: key).der
        switch self {
        case .badSelfSignature: return der.dropLast() + [der[der.count - 1] ^ 1]
        case .uniqueIdentifier: return Self.withUniqueIdentifier(der)
        default: return der
        }
    }

    /// Puts an issuerUniqueID before the extensions. The lengths of the certificate and of what is signed in it, each
    /// of two bytes, grow with it; the signature no longer fits, which is checked later.
    private static func withUniqueIdentifier(_ der: [UInt8]) -> [UInt8] {
        let field: [UInt8] = [0x81, 2, 0, 0xaa]
        // The extensions start three headers of two bytes before the identifier of the only one.
        let identifier = bytes(hex: "060a2b0601040183a25a0101")
        guard let position = der.indices.first(where: { der[$0...].starts(with: identifier) }) else { return der }
        let extensions = position - 6
        precondition(der[extensions] == 0xa3, "the extension is longer than with an Ed25519 key")
        var result = Array(der[..<extensions]) + field + der[extensions...]
        for length in [2, 6] {
            let grown = (Int(result[length]) << 8 | Int(result[length + 1])) + field.count
            (result[length], result[length + 1]) = (UInt8(grown >> 8), UInt8(grown & 0xff))
        }
        return result
    }
}

@Suite("The content of the libp2p extension")
struct SignedKeyTests {
    @Test("is written as it is read", arguments: [0, 1, 0x7f, 0x80, 0xff, 0x100, 1_100])
    func lengths(count: Int) {
        let signedKey = SignedKey(publicKey: pattern(count), signature: pattern(count + 1))
        #expect(SignedKey(der: signedKey.der) == signedKey)
    }

    @Test(
        "is refused in any other form",
        arguments: [
            "", "30", "3000", "30020400", "30040400", "3004040004", "300404000401", "300504000400", "300404000500",
            "310404000400", "30040400040000", "3081040400 0400", "300504810004 00", "30060482 00000400",
            "3080 0400 0400 0000", "30840000000404000400", "3007 0400 0400 040100", "300404 7f 0400",
        ])
    func malformed(hex: String) {
        #expect(SignedKey(der: bytes(hex: hex)) == nil)
    }

    @Test("may be as short as it gets")
    func shortest() {
        #expect(SignedKey(der: bytes(hex: "300404000400")) == SignedKey(publicKey: [], signature: []))
    }
}
