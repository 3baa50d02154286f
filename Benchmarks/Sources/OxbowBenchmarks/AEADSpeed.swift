import Oxbow

/// libcrypto's own speed on one core: what no secured connection can pass.
enum AEADSpeed {
    static func measure(_ options: Options, _ report: Report) throws {
        let time = options.duration / 5
        if options.wants(.aeadChaCha) {
            var key = try ChaCha20Poly1305Key(key: [UInt8](repeating: 7, count: 32))
            let rate = try run(time, frame: 65_408) { number, plaintext, output in
                try key.seal(nonce: number, plaintext: plaintext, into: output)
            }
            report.add(.aeadChaCha, rate)
        }
        if options.wants(.aeadAES) {
            var key = try AES256GCMKey(key: [UInt8](repeating: 7, count: 32))
            let rate = try run(time, frame: 16_384) { number, plaintext, output in
                try key.seal(nonce: number, plaintext: plaintext, into: output)
            }
            report.add(.aeadAES, rate)
        }
    }

    /// - Returns: Gbit/s.
    private static func run(
        _ time: Duration, frame: Int,
        _ seal: (UInt64, UnsafeRawBufferPointer, UnsafeMutableRawBufferPointer) throws -> Void
    ) throws -> Double {
        let plaintext = [UInt8](repeating: 1, count: frame)
        var output = [UInt8](repeating: 0, count: frame + 16)
        let start = ContinuousClock.now
        var frames: UInt64 = 0
        while start.duration(to: .now) < time {
            for _ in 0..<16 {
                try plaintext.withUnsafeBytes { input in
                    try output.withUnsafeMutableBytes { try seal(frames, input, $0) }
                }
                frames += 1
            }
        }
        return gigabits(Int(frames) * frame, in: start.duration(to: .now))
    }
}

/// Gbit/s.
func gigabits(_ bytes: Int, in time: Duration) -> Double {
    Double(bytes) * 8 / 1e9 / (time / .seconds(1))
}
