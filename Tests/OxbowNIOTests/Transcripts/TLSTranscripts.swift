import COpenSSL
import OxbowCore
import OxbowCrypto

@testable import OxbowSecurity

/// libp2p's TLS 1.3: the handshake, and a record each way behind it.
enum TLSTranscripts {
    static let all: [Scenario] = [
        scenario("tls-ed25519", .ed25519, [], ["TLS 1.3 (/tls/1.0.0), both identities Ed25519"]),
        scenario("tls-secp256k1", .secp256k1, [], ["TLS 1.3 (/tls/1.0.0): A's identity is secp256k1, B's Ed25519"]),
        scenario("tls-ecdsa", .ecdsa, [], ["TLS 1.3 (/tls/1.0.0): A's identity is ECDSA on P-256, B's Ed25519"]),
        scenario("tls-rsa", .rsa, [], ["TLS 1.3 (/tls/1.0.0): A's identity is RSA with 2,048 bits, B's Ed25519"]),
        scenario(
            "tls-early-muxer", .ed25519, ["/yamux/1.0.0", "/mplex/6.7.0"],
            [
                "TLS 1.3 (/tls/1.0.0) with the multiplexer agreed on by ALPN", "",
                "A offers Yamux, mplex and libp2p; B takes Yamux.",
            ]),
    ]

    private static let notes = [
        "",
        "The random bytes are used from the front. Of the public ones the ClientHello takes its random, then its legacy",
        "session id, the ServerHello its random; of the secret ones the first 32 are the ephemeral X25519 key.", "",
        "The certificates are made once, as their own signatures have a random part. They are judged at the time 1800000000.",
        "",
        "Another series of OpenSSL than the one that is named may put other extensions into a hello: its bytes then differ.",
    ]

    private static func scenario(
        _ name: String, _ typeOfA: KeyType, _ muxers: [ProtocolID], _ about: [String]
    ) -> Scenario {
        Scenario(
            name: name, about: about + notes, format: .tls, labels: labels,
            inputs: { previous in
                let library = Transcript.Input(
                    name: "library", text: "whose hellos these are, as text: \(DeterministicLibrary.series)",
                    bytes: Array(DeterministicLibrary.series.utf8))
                return try [library] + own(.a, typeOfA, previous) + own(.b, .ed25519, previous)
            },
            script: [.does(.a, "starts"), .does(.a, "sends \"ping\""), .does(.b, "sends \"pong\"")], isCheap: false,
            obstacle: { inputs in
                guard let library = inputs["library"], !library.elementsEqual(DeterministicLibrary.series.utf8) else {
                    return nil
                }
                return "it is of \(String(decoding: library, as: UTF8.self)), this is \(DeterministicLibrary.series)"
            },
            make: { side, inputs in try party(side, inputs, muxers: side == .a ? muxers : Array(muxers.prefix(1))) })
    }

    private static let labels = [
        "ClientHello", "ServerHello", "change_cipher_spec, which means nothing in TLS 1.3",
        "encrypted: EncryptedExtensions",
        "encrypted: CertificateRequest", "encrypted: Certificate", "encrypted: CertificateVerify",
        "encrypted: Finished",
        "change_cipher_spec, which means nothing in TLS 1.3", "encrypted: Certificate", "encrypted: CertificateVerify",
        "encrypted: Finished", "encrypted: application data \"ping\"", "encrypted: application data \"pong\"",
    ]

    // MARK: Inputs

    private static func own(
        _ side: Side, _ type: KeyType, _ previous: Scenario.Inputs
    ) throws -> [Transcript.Input] {
        let identity = try KeyInputs.identity(side, type, previous)
        let key = try PrivateKey(protobuf: identity.bytes)
        let name = side.rawValue
        var certificate = (previous["\(name).certificate"] ?? [], previous["\(name).certificate-key"] ?? [])
        if !isCertificate(certificate.0, of: key) { certificate = try makeCertificate(of: key) }
        return [
            identity,
            .init(name: "\(name).certificate", text: "\(name)'s certificate, DER, made once", bytes: certificate.0),
            .init(
                name: "\(name).certificate-key", text: "the certificate's own key: ECPrivateKey, DER",
                bytes: certificate.1),
            .init(
                name: "\(name).public-random", text: "the random bytes that \(name) sends",
                bytes: randomBytes("\(name) public", blocks: 4)),
            .init(
                name: "\(name).secret-random", text: "the random bytes that \(name) keeps",
                bytes: randomBytes("\(name) secret", blocks: 12)),
        ]
    }

    private static func isCertificate(_ der: [UInt8], of key: PrivateKey) -> Bool {
        guard !der.isEmpty, let certificate = try? TLSCertificate(der: der) else { return false }
        return (try? TLSCertificateCheck.identity(in: certificate, at: time)) == key.publicKey
    }

    private static func makeCertificate(of identity: PrivateKey) throws -> ([UInt8], [UInt8]) {
        let key = try TLSCertificateKey()
        let certificate = try TLSCertificateTemplate(identity: identity, key: key).signed(with: key)
        return (certificate.der, encodeDER { i2d_PrivateKey(key.pointer, $0) })
    }

    private static func randomBytes(_ name: String, blocks: UInt8) -> [UInt8] {
        (0..<blocks).flatMap { SHA256.hash(Array("oxbow transcript, \(name)".utf8) + [$0]) }
    }

    // MARK: A side

    private static let time: Int64 = 1_800_000_000

    private static func party(_ side: Side, _ inputs: Scenario.Inputs, muxers: [ProtocolID]) throws -> any Party {
        let name = side.rawValue
        let library = try DeterministicLibrary()
        let context = try TLSContext(library: library.pointer)
        try use(
            certificate: inputs.required("\(name).certificate"), key: inputs.required("\(name).certificate-key"),
            in: context, library)
        let identity = try PrivateKey(protobuf: inputs.required("\(name).identity"))
        try library.give(
            publicBytes: inputs.required("\(name).public-random"),
            secretBytes: inputs.required("\(name).secret-random"))
        let handshake = try TLSHandshake(
            role: side == .a ? .initiator : .responder, context: context,
            configuration: SecurityConfiguration(identity: identity, muxers: muxers), unixTime: time)
        return SecureParty(.tls(handshake), on: library).party
    }

    /// What signs during the handshake has to be of the library context, or it would draw other random numbers.
    private static func use(
        certificate: [UInt8], key: [UInt8], in context: TLSContext, _ library: DeterministicLibrary
    ) throws {
        var x509 = X509_new_ex(library.pointer, nil)
        defer { X509_free(x509) }
        var position: UnsafePointer<UInt8>?
        let isRead = certificate.withUnsafeBufferPointer { bytes in
            position = bytes.baseAddress
            return d2i_X509(&x509, &position, bytes.count) != nil
        }
        let pointer = key.withUnsafeBufferPointer { bytes in
            position = bytes.baseAddress
            return d2i_PrivateKey_ex(EVP_PKEY_EC, nil, &position, bytes.count, library.pointer, nil)
        }
        defer { EVP_PKEY_free(pointer) }
        guard isRead, SSL_CTX_use_certificate(context.pointer, x509) == 1,
            SSL_CTX_use_PrivateKey(context.pointer, pointer) == 1
        else { throw TranscriptError("libssl refused the certificate") }
    }
}
