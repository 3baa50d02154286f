#include "OxbowMessagesC.h"
