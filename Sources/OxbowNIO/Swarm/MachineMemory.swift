#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The memory that limits are scaled to unless the application says another number.
enum MachineMemory {
    /// What the machine has, or the container if that has less; in bytes. 1 GiB where it can't be known.
    static let bytes: Int = {
        let (pages, size) = (sysconf(Int32(_SC_PHYS_PAGES)), sysconf(Int32(_SC_PAGESIZE)))
        let physical = pages > 0 && size > 0 ? Int(pages).multipliedReportingOverflow(by: Int(size)) : (1 << 30, false)
        let total = physical.1 ? Int.max : physical.0
        // cgroup v2, then v1. Without a limit the one says "max", the other a number that no machine has.
        let groups = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        return groups.compactMap(number).filter { $0 > 0 }.reduce(total, min)
    }()

    /// The number that a file of the kernel's begins with.
    private static func number(in path: String) -> Int? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 32)
        guard fgets(&line, Int32(line.count), file) != nil else { return nil }
        return Int(String(decoding: line.prefix { $0 != 0 && $0 != 10 }.map(UInt8.init(bitPattern:)), as: UTF8.self))
    }
}
