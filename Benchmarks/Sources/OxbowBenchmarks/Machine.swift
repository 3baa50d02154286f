import Foundation

/// The machine, as Linux describes it.
enum Machine {
    static var description: String {
        let processor = lines("/proc/cpuinfo").first { $0.hasPrefix("model name") }?.split(separator: ":").last
        let name = processor.map { $0.trimmingCharacters(in: .whitespaces) } ?? "unknown processor"
        let congestion = lines("/proc/sys/net/ipv4/tcp_congestion_control").first ?? "unknown"
        let kernel = lines("/proc/sys/kernel/osrelease").first ?? "unknown"
        return "\(ProcessInfo.processInfo.activeProcessorCount) cores (\(name)), kernel \(kernel), TCP \(congestion)"
    }

    /// Resident memory of a process, in KiB.
    static func residentKiB(_ process: Int32) -> Double {
        let line = lines("/proc/\(process)/status").first { $0.hasPrefix("VmRSS:") }
        return line?.split(separator: " ").dropFirst().first.flatMap { Double($0) } ?? 0
    }

    /// Processor time of a process so far, in seconds.
    static func processorSeconds(_ process: Int32) -> Double {
        // Behind the command's name, which ends with the last parenthesis, user and system time are the 12th and 13th.
        let fields = lines("/proc/\(process)/stat").first?.split(separator: ")").last?.split(separator: " ") ?? []
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return 0 }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    static var ownProcess: Int32 { getpid() }

    private static func lines(_ path: String) -> [Substring] {
        (try? String(contentsOfFile: path, encoding: .utf8))?.split(separator: "\n") ?? []
    }
}

extension Machine {
    /// Raises how many files this process may have open as far as it may.
    ///
    /// - Returns: how many that are.
    @discardableResult
    static func raiseFileLimit() -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1_024 }
        var wanted = limit
        wanted.rlim_cur = limit.rlim_max
        if setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &wanted) == 0 { limit = wanted }
        return Int(clamping: limit.rlim_cur)
    }
}
