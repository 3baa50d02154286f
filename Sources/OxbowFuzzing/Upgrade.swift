import OxbowCore
import OxbowProtocols
import OxbowSecurity
import OxbowUpgrade
import OxbowWire

extension FuzzTarget {
    static let upgrade = [
        FuzzTarget(
            "upgrade", "a raw connection from its first byte, in either role", maximumLength: 1_024,
            seeds: upgradeSeeds, upgradeBytes)
    ]

    private static let configuration: UpgradeConfiguration = {
        do { return try UpgradeConfiguration(identity: FuzzKeys.first) } catch {
            preconditionFailure("a fixed identity can upgrade: \(error)")
        }
    }()

    /// The handshakes draw fresh keys here, so that what is sent differs from run to run; what must hold doesn't.
    private static func upgradeBytes(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        var upgrade = ConnectionUpgrade(
            role: input.bool() ? .initiator : .responder, configuration: configuration, unixTime: TLSScene.now)
        var sent = upgrade.start().count
        let size = 1 + input.int(below: 256)
        let bytes = input.rest()
        var rest: ArraySlice<UInt8> = []
        var arrived = 0
        while arrived < bytes.count {
            rest += bytes[arrived...].prefix(size)
            arrived = min(bytes.count, arrived + size)
            let step: ConnectionUpgrade.Step
            do { step = try upgrade.receive(&rest) } catch {
                _ = ("\(error)", upgrade.phase)
                sent += upgrade.farewell().count
                break
            }
            guard case .needMore(let send) = step else {
                throw FuzzFailure("nobody proves an identity without its key")
            }
            sent += send.count
            try require(bytes.prefix(arrived)[...].hasSuffix(rest), "what is left is the end of the input")
        }
        try require(sent <= 16_384 + 4 * bytes.count, "\(sent) bytes are sent for \(bytes.count)")
        return sent > 400 ? .accepted : .refused
    }

    private static func upgradeSeeds() -> [[UInt8]] {
        func name(_ text: String) -> [UInt8] { LengthDelimited.encode(Array(text.utf8) + [0x0a]) }
        let header = name("/multistream/1.0.0")
        return [
            [0, 255] + header + name("/noise") + NoiseScene.first,
            [0, 3] + header + name("/plaintext") + name("/tls/1.0.0") + TLSScene.clientHello,
            [1, 255] + header + name("/noise") + NoiseScene.second, [1, 9] + header + name("na") + name("/tls/1.0.0"),
        ]
    }
}
