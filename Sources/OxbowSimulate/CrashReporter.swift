import Foundation

/// Says which run a trap ended, since a trap leaves no time to say anything else.
enum CrashReporter {
    /// What each thread runs: a seed, or a point as its negative minus one.
    nonisolated(unsafe) private static var current: UnsafeMutablePointer<Int>?
    nonisolated(unsafe) private static var jobs = 0

    static func install(jobs: Int) {
        let numbers = UnsafeMutablePointer<Int>.allocate(capacity: jobs)
        numbers.initialize(repeating: 0, count: jobs)
        (current, self.jobs) = (numbers, jobs)
        for number in [SIGILL, SIGTRAP, SIGSEGV, SIGABRT, SIGBUS] {
            signal(number) { number in
                CrashReporter.report()
                signal(number, SIG_DFL)
                raise(number)
            }
        }
    }

    static func begin(_ job: Int, _ number: Int) {
        current?[job] = number
    }

    /// Only what a signal handler may: no memory is taken.
    private static func report() {
        write("\ncrashed in one of:")
        var isKnown = false
        for job in 0..<jobs {
            guard let number = current?[job], number != 0 else { continue }
            isKnown = true
            write(number < 0 ? " --point " : " --seed ")
            writeNumber(number < 0 ? -(number + 1) : number)
        }
        if !isKnown { write(" the scenarios without a fault") }
        write("\n0 passed, 1 failed\n")
    }

    private static func write(_ text: StaticString) {
        _ = Foundation.write(STDOUT_FILENO, text.utf8Start, text.utf8CodeUnitCount)
    }

    private static func writeNumber(_ number: Int) {
        var divisor = 1
        while number / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            var digit = UInt8(48 + number / divisor % 10)
            _ = Foundation.write(STDOUT_FILENO, &digit, 1)
            divisor /= 10
        }
    }
}
