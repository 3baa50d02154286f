#if canImport(Glibc)
import Glibc
import OxbowCommandLine
#endif

/// How much of this process is in memory.
enum ResidentMemory {
    /// Bytes, as the operating system counts them; nil where it doesn't tell.
    static var bytes: UInt64? {
        #if canImport(Glibc)
        let number = open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
        guard number >= 0 else { return nil }
        let file = OpenFile(number, name: "/proc/self/statm")
        defer { file.close() }
        var text = [UInt8](repeating: 0, count: 256)
        guard let count = try? text.withUnsafeMutableBytes({ try file.read(into: $0) }) else { return nil }
        // size, resident, shared …, in pages
        let fields = String(decoding: text[..<count], as: UTF8.self).split(separator: " ")
        guard fields.count > 1, let pages = UInt64(fields[1]) else { return nil }
        return pages * UInt64(sysconf(Int32(_SC_PAGESIZE)))
        #else
        return nil
        #endif
    }

    /// The middle of several looks: what is there for a moment only doesn't count.
    static func settled() async throws -> UInt64? {
        var looks: [UInt64] = []
        for _ in 0..<9 {
            guard let bytes else { return nil }
            looks.append(bytes)
            try await Task.sleep(for: .milliseconds(200))
        }
        return looks.sorted()[looks.count / 2]
    }
}
