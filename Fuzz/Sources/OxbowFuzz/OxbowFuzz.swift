import Foundation
import OxbowFuzzing

// libFuzzer has the main function: it calls the first of these once, the second for each input.

/// The target that the environment names. One program holds them all, so that there is one build.
private let target: FuzzTarget = {
    let name = ProcessInfo.processInfo.environment["OXBOW_FUZZ_TARGET"] ?? ""
    guard let target = FuzzTarget.all.first(where: { $0.name == name }) else {
        end("OXBOW_FUZZ_TARGET names one of: \(FuzzTarget.all.map(\.name).joined(separator: " "))", status: 2)
    }
    return target
}()

/// Answers what `scripts/fuzz` asks before it starts a run: which targets there are, and what they begin with.
@c(LLVMFuzzerInitialize)
public func initialize(_ count: UnsafeMutableRawPointer?, _ arguments: UnsafeMutableRawPointer?) -> CInt {
    let environment = ProcessInfo.processInfo.environment
    if environment["OXBOW_FUZZ_LIST"] != nil {
        for target in FuzzTarget.all { print(target.name, target.maximumLength, target.feeds, separator: "\t") }
        exit(0)
    }
    if let folder = environment["OXBOW_FUZZ_SEEDS"] {
        for (index, seed) in target.seeds().enumerated() {
            let file = URL(filePath: folder).appending(path: "seed-\(index)")
            do { try Data(seed).write(to: file) } catch { end("\(file.path): \(error)", status: 2) }
        }
        exit(0)
    }
    _ = target
    return 0
}

@c(LLVMFuzzerTestOneInput)
public func testOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    do {
        try target.run([UInt8](UnsafeBufferPointer(start: bytes, count: count)))
    } catch {
        // A crash is what libFuzzer takes down, with the input.
        fatalError("\(target.name): \(error)")
    }
    return 0
}

private func end(_ message: String, status: Int32) -> Never {
    FileHandle.standardError.write(Data((message + "\n").utf8))
    exit(status)
}
